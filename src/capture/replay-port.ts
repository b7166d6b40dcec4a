// ReplayPort presents a capture file as a ring whose packets a guest has sent. So a source queue can use leases, credit
// and backpressure as with any ring. A packet is in this ring as soon as it is due.

import { addCounters, type Counters, counterAt, countFrame, newCounters } from '../data/counters/counters.js'
import type { DataPlane } from '../data/plane.js'
import { HEADROOM, LARGE_SLOT } from '../data/pool/arrays.js'
import { CREDIT, MORE, NO_SLOT as NO_SLOT_BIT, type PortEvents, type QueuePort } from '../data/ring/port.js'
import { nodeTimers } from '../data/turn/timers.js'
import { VhostError } from '../errors.js'
import { copyBytes } from '../packet/copy-bytes.js'
import { NO_SLOT, SLOT_OFFSET, SLOT_SHIFT } from '../packet/packet.js'
import type { Input } from './input.js'
import { CaptureReader, END, FRAME, SKIPPED, WAIT } from './reader.js'

/** Minimum length of a packet. A shorter packet is not an Ethernet frame, and no ring accepts it. */
const SHORTEST = 14
/** Maximum length of a packet: a longer one does not fit into a slot. */
const LONGEST = LARGE_SLOT - HEADROOM
/** Maximum delay of a timer. Node.js fires a timer with a longer delay at once, and a file may contain any time. */
const MOST_MS = 2 ** 31 - 1

export interface ReplayPortOptions {
  /** The factor by which the replay is faster than the recording. */
  speed: number
  /** Number of times that the file is replayed. */
  loop: number
  input: (onMore: () => void, onError: (error: Error) => void) => Input
  /**
   * Called after all packets were dequeued. If the file has an error, it is called after the packets before the error.
   */
  onEnd: (error?: unknown) => void
}

const RUNT = counterAt('runt')

export class ReplayPort implements QueuePort {
  readonly exchange: Uint32Array
  readonly running = true
  readonly #plane: DataPlane
  readonly #options: ReplayPortOptions
  readonly #input: Input
  readonly #reader: CaptureReader
  readonly #counters = newCounters()
  #account = 0
  #events: PortEvents | null = null
  #timer: unknown = null
  /** Number of completed replays of the file. */
  #rounds = 0
  /** Number of packets sent in the current replay of the file. */
  #inRound = 0
  /** Time at which the first packet of the current replay was sent. */
  #sentFirst = 0
  /** Time at which the first packet was recorded. */
  #recordedFirst = 0
  /** Time at which the next packet is due, or 0 if it is not known. */
  #due = 0
  #over = false
  #error: unknown

  constructor(plane: DataPlane, options: ReplayPortOptions) {
    this.#plane = plane
    this.#options = options
    this.exchange = plane.pool.exchange
    this.#input = options.input(
      () => this.#events?.kick(),
      error => {
        this.#fail(error)
        this.#events?.kick()
      },
    )
    this.#reader = new CaptureReader(this.#input)
  }

  open(account: number, events: PortEvents): void {
    this.#account = account
    this.#events = events
  }

  close(): void {
    this.#events = null
    this.#clear()
    this.#input.close()
  }

  readonly spinDequeue = (max: number, at: number): number => this.dequeue(max, at)

  dequeue(max: number, at: number): number {
    let count = 0
    let why = 0
    try {
      while (count < max && why === 0 && !this.#over) {
        const next = this.#reader.next()
        if (next === END) this.#endOfRound()
        else if (next === WAIT) break
        else if (next === SKIPPED) why = MORE
        else if (this.#runt()) continue
        else if (!this.#isDue()) break
        else why = this.#take(at + count)
        if (next === FRAME && why === 0) count++
      }
    } catch (error) {
      this.#fail(error)
    }
    return count | why
  }

  enqueue(): number {
    throw new Error('rx-vhost: a replayed capture cannot receive packets')
  }

  /**
   * Called when no packet is due. Sets a timer for the next packet, or waits until the input has more bytes and kicks.
   */
  arm(): boolean {
    const { timers = nodeTimers, scheduler } = this.#plane
    if (this.#timer !== null) return false
    if (this.#over) this.#timer = timers.set(() => this.#options.onEnd(this.#error), 0)
    else if (this.#due > 0)
      this.#timer = timers.set(
        () => {
          this.#timer = null
          this.#events?.kick()
        },
        Math.min(MOST_MS, Math.ceil(this.#due - scheduler.now())),
      )
    return false
  }

  suppress(): void {
    if (!this.#over) this.#clear()
  }

  mute(): void {}

  count(sums: Counters): void {
    addCounters(sums, this.#counters)
  }

  /** Always 0, because there is no guest to notify. */
  readonly notifications = 0
  readonly walked = 0

  // Copies the packet into a slot and writes the slot's id to index `at` of the exchange. Returns 0, or the result bit
  // that says why the packet was not copied.
  #take(at: number): number {
    const { pool } = this.#plane
    const { data, length } = this.#reader
    if (length > LONGEST)
      throw new VhostError(
        'ERR_VHOST_CAPTURE_INVALID',
        `invalid capture at byte ${this.#input.position}: a packet has ${length} bytes, more than ${LONGEST}`,
      )
    if (!pool.accounts.hasCredit(this.#account)) return CREDIT
    const slot = pool.alloc(length, this.#account)
    if (slot === NO_SLOT) return NO_SLOT_BIT
    copyBytes(this.#input.view, data, pool.view, pool.meta[(slot << SLOT_SHIFT) + SLOT_OFFSET], length)
    this.exchange[at] = slot
    this.#reader.take()
    this.#inRound++
    countFrame(this.#counters, pool.bytes, pool.meta[(slot << SLOT_SHIFT) + SLOT_OFFSET], length)
    this.#due = 0
    return 0
  }

  #runt(): boolean {
    if (this.#reader.length >= SHORTEST) return false
    this.#counters[RUNT]++
    this.#reader.take()
    return true
  }

  #isDue(): boolean {
    const { speed } = this.#options
    if (speed === Infinity) return true
    const now = this.#plane.scheduler.now()
    if (this.#inRound === 0) {
      this.#sentFirst = now
      this.#recordedFirst = this.#reader.ms
    }
    this.#due = this.#sentFirst + (this.#reader.ms - this.#recordedFirst) / speed
    return this.#due <= now
  }

  // Ends one replay of the file. If the file has no packets, the replay ends even with `loop: Infinity`, because
  // dequeue() would never return.
  #endOfRound(): void {
    this.#over = ++this.#rounds >= this.#options.loop || this.#inRound === 0
    this.#inRound = 0
    if (!this.#over) this.#reader.rewind()
  }

  // Ends the replay with an error. Packets that were dequeued before the error are emitted first.
  #fail(error: unknown): void {
    this.#over = true
    this.#error ??= error
  }

  #clear(): void {
    const { timers = nodeTimers } = this.#plane
    if (this.#timer !== null) timers.clear(this.#timer)
    this.#timer = null
  }
}
