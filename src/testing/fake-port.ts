// A ring in memory, without an addon: a test acts as the guest through method calls. For tests of pipelines and of
// the queues themselves. It honours accounts as the native dequeue does, and results have the same bits.
import type { Counters } from '../data/counters/counters.js'
import type { Pool } from '../data/pool/pool.js'
import { CREDIT, MORE, NO_SLOT, type PortEvents, type QueuePort, STOPPED } from '../data/ring/port.js'
import { SLOT_LENGTH, SLOT_OFFSET, SLOT_SHIFT } from '../packet/packet.js'
import { FakeCounters } from './fake-counters.js'

/** Options of a ring in memory. */
export interface FakePortOptions {
  /** Entries of the ring. */
  size?: number
  /** Copy what the guest receives into `received`. */
  record?: boolean
}

/** A ring in memory, and the guest that uses it. */
export class FakePort implements QueuePort {
  readonly exchange: Uint32Array
  running = true
  /** From guest: true if the queue asked for a kick. */
  armed = false
  /** True: the guest's kicks are lost. */
  muted = false
  /** The frames that the guest received, if `record` is on. */
  readonly received: Buffer[] = []
  /** How many packets the guest received. */
  receivedCount = 0
  /**
   * Descriptors that the guest's chains made us read beyond plain buffers; raise it to act as a guest with long chains.
   */
  walked = 0
  /** Called after each call that moved frames to the guest. */
  onReceived: ((frames: Buffer[]) => void) | null = null
  /** Called when the guest's last waiting frame was dequeued. */
  onDrained: (() => void) | null = null
  /** Native calls so far. */
  readonly calls = { dequeue: 0, enqueue: 0, arm: 0, suppress: 0, spinDequeue: 0 }
  /** Entries of the ring. */
  readonly size: number
  readonly #pool: Pool
  readonly #record: boolean
  #account = 0
  #events: PortEvents | null = null
  #sent: Uint8Array[] = []
  #same: Uint8Array | null = null
  #sameLeft = 0
  #room = 0
  readonly #counters: FakeCounters
  readonly #holdsSame: Uint8Array

  constructor(pool: Pool, { size = 256, record = true }: FakePortOptions = {}) {
    this.exchange = pool.exchange
    this.size = size
    this.#pool = pool
    this.#record = record
    this.#counters = new FakeCounters(pool)
    this.#holdsSame = new Uint8Array(pool.packets.length)
  }

  // Actions of the guest.

  /** The guest sends frames, as many as its ring has room for, and kicks if asked to. Returns the number sent. */
  send(...frames: Uint8Array[]): number {
    const count = Math.min(frames.length, this.size - this.#sent.length)
    this.#sent.push(...frames.slice(0, count))
    if (count > 0) this.#notify()
    return count
  }

  /** The guest sends `count` times the same frame: its ring is never empty until then. */
  sendSame(frame: Uint8Array, count: number): void {
    if (frame !== this.#same) this.#holdsSame.fill(0)
    this.#same = frame
    this.#sameLeft = count
    this.#notify()
  }

  /** The guest posts `count` receive buffers. */
  post(count: number): void {
    this.#room = Math.min(this.#room + count, this.size)
    this.#notify()
  }

  /** The guest kicks, even if the queue did not ask for a kick. */
  kick(): void {
    if (!this.muted) this.#events?.kick()
  }

  /** Frames that wait in the guest's ring. */
  get waiting(): number {
    return this.#sent.length + this.#sameLeft
  }

  /** Receive buffers that are posted and empty. */
  get room(): number {
    return this.#room
  }

  /** The ring starts or stops. */
  setRunning(running: boolean): void {
    this.running = running
    this.#events?.state()
  }

  // Calls of the queue.
  open(account: number, events: PortEvents): void {
    this.#account = account
    this.#events = events
  }

  /** The queue detaches from the ring. */
  close(): void {
    this.#events = null
  }

  dequeue(max: number, at: number): number {
    this.calls.dequeue++
    if (!this.running) return STOPPED
    let count = 0
    let why = 0
    for (; count < max && this.waiting > 0; count++) {
      if (!this.#pool.accounts.hasCredit(this.#account)) {
        why = CREDIT
        break
      }
      const frame = this.#sameLeft > 0 ? (this.#same as Uint8Array) : this.#sent[0]
      const slot = this.#pool.alloc(frame.length, this.#account)
      if (slot < 0) {
        why = NO_SLOT
        break
      }
      this.#write(slot, frame)
      this.exchange[at + count] = slot
      if (this.#sameLeft > 0) this.#sameLeft--
      else this.#sent.shift()
    }
    this.#counters.moved(count, at)
    if (count > 0 && this.waiting === 0) this.onDrained?.()
    return count | why | (this.waiting > 0 ? MORE : 0)
  }

  enqueue(count: number, at: number): number {
    this.calls.enqueue++
    if (!this.running) return STOPPED
    const taken = Math.min(count, this.#room)
    this.#room -= taken
    this.receivedCount += taken
    this.#counters.moved(taken, at)
    if (this.#record && taken > 0) {
      const { meta, bytes } = this.#pool
      const frames: Buffer[] = []
      for (let i = 0; i < taken; i++) {
        const base = this.exchange[at + i] << SLOT_SHIFT
        const from = meta[base + SLOT_OFFSET]
        frames.push(Buffer.from(bytes.subarray(from, from + meta[base + SLOT_LENGTH])))
      }
      this.received.push(...frames)
      this.onReceived?.(frames)
    }
    return taken | (taken < count ? MORE : 0)
  }

  arm(): boolean {
    this.calls.arm++
    this.armed = true
    return this.#room > 0 || this.waiting > 0
  }

  spinDequeue(max: number, at: number): number {
    this.calls.spinDequeue++
    return this.dequeue(max, at)
  }

  suppress(): void {
    this.calls.suppress++
    this.armed = false
  }

  mute(on: boolean): void {
    this.muted = on
  }

  count(sums: Counters): void {
    this.#counters.addTo(sums)
  }

  get notifications(): number {
    return this.#counters.notifications
  }

  // A slot that still has the frame of sendSame() needs no copy: its benchmarks measure the queue, not memcpy.
  #write(slot: number, frame: Uint8Array): void {
    const same = frame === this.#same && !this.#pool.strict
    if (same && this.#holdsSame[slot] === 1) return
    this.#holdsSame[slot] = same ? 1 : 0
    this.#pool.bytes.set(frame, this.#pool.meta[(slot << SLOT_SHIFT) + SLOT_OFFSET])
  }

  #notify(): void {
    if (this.armed) this.kick()
  }
}
