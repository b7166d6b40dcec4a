// A capture file as a ring: its packets are those that a guest has sent. A source queue on it has leases, credit and
// backpressure as on any ring. A packet is in the ring once it is due.

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

/** A shorter packet is no Ethernet frame: no ring takes it. */
const SHORTEST = 14
const LONGEST = LARGE_SLOT - HEADROOM
/** A timer of more milliseconds would fire at once (Node). A file may have any time. */
const MOST_MS = 2 ** 31 - 1

export interface ReplayPortOptions {
  /** Times as fast as recorded. */
  speed: number
  /** Times that the file is sent. */
  loop: number
  input: (onMore: () => void, onError: (error: Error) => void) => Input
  /** All was dequeued, or there is an error behind what was. */
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
  /** Rounds that are done, and packets sent in this one. */
  #rounds = 0
  #inRound = 0
  /** When the first packet of this round was sent, and when it had been recorded. */
  #sentFirst = 0
  #recordedFirst = 0
  /** When the next packet is due; 0: not known. */
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
    throw new Error('rx-vhost: nothing can be sent into a capture that is replayed')
  }

  /** No packet is due: the input will kick, or a timer. */
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

  /** There is no guest. */
  readonly notifications = 0
  readonly walked = 0

  // Copies the packet into a slot, and puts its id at `at` of the exchange. Returns 0, or why it could not.
  #take(at: number): number {
    const { pool } = this.#plane
    const { data, length } = this.#reader
    if (length > LONGEST)
      throw new VhostError(
        'ERR_VHOST_CAPTURE_INVALID',
        `at byte ${this.#input.position} of the capture: a packet of ${length} bytes, longer than any that fits`,
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

  // A round without a packet is the last: an endless loop of such rounds would never return.
  #endOfRound(): void {
    this.#over = ++this.#rounds >= this.#options.loop || this.#inRound === 0
    this.#inRound = 0
    if (!this.#over) this.#reader.rewind()
  }

  // Packets that were dequeued before are emitted first.
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
