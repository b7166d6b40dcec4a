// A queue's port on a real ring: the addon's calls on one handle, and the ring's kicks as they come from the wake-up.
// The session tells it whether the ring runs; it tells the session of faults that a burst has met.
import { type Addon, native } from '../../addon/native.js'
import { reasonWord } from '../../addon/reasons.js'
import { freeTag, type Tagged, tagFor } from '../../addon/wakeup.js'
import { addWords, type Counters, counterAt, RING_COUNTERS } from '../counters/counters.js'
import { dataPlane } from '../env.js'
import { COUNT, FAULT, type PortEvents, type QueuePort } from './port.js'
import { blockOf, placeInBlock } from './queue-counters.js'

/** Kicks on a ring that reads as all zeros before it is told as memory that is not shared. One kick is normal: QEMU
 * kicks every ring when it starts the device. */
const ZERO_KICKS = 3
/** How often a ring is looked at whose front end gave it no kick fd (vhost-user, "SET_VRING_KICK"), while it is empty. */
const NO_KICK_MS = 1
/** From arm(): nobody will kick. */
const NO_KICK = 2

export interface RingPortOptions {
  device: number
  ring: number
  running: boolean
  /** The ring was latched, or looks as if its memory were not shared: the word for it. */
  onFault: (reason: string) => void
}

const NOTHING: Uint32Array = new Uint32Array(2 * RING_COUNTERS.length)
/** The lower word of this counter. */
const NOTIFICATIONS = 2 * counterAt('guest_notifications')

export class RingPort implements QueuePort, Tagged {
  readonly exchange: Uint32Array
  readonly #device: number
  readonly #ring: number
  readonly #onFault: (reason: string) => void
  readonly #addon: Addon = native()
  /** What this port's calls count: native memory, from this word on; all zeros while it is not open. */
  #counters = NOTHING
  #countersAt = 0
  #handle = -1
  #tag = 0
  #events: PortEvents | null = null
  #running: boolean
  #zeroKicks = 0
  /** Packets were moved, so the memory is shared: zeroes are then those of a guest that reboots. */
  #shared = false
  #polling: NodeJS.Timeout | undefined

  constructor({ device, ring, running, onFault }: RingPortOptions) {
    this.exchange = dataPlane().pool.exchange
    this.#device = device
    this.#ring = ring
    this.#running = running
    this.#onFault = onFault
  }

  get running(): boolean {
    return this.#running
  }

  /** From the session: a ring has started or stopped. */
  ringState(ring: number, running: boolean): void {
    if (ring !== this.#ring || running === this.#running) return
    this.#running = running
    this.#zeroKicks = 0
    this.#events?.state()
  }

  /** From the session: a ring has lost its kick fd. Who sleeps on it would sleep for ever. */
  kickLost(ring: number): void {
    if (ring === this.#ring) this.#events?.wake()
  }

  open(account: number, events: PortEvents): void {
    const handle = this.#addon.queueOpen(this.#device, this.#ring, account)
    if (handle < 0) return // the device is gone: every call answers so
    this.#handle = handle
    this.#events = events
    this.#counters = blockOf(handle)
    this.#countersAt = placeInBlock(handle)
    this.#tag = tagFor(this)
    this.#watch()
  }

  close(): void {
    if (this.#handle < 0) return
    this.#addon.queueClose(this.#handle)
    freeTag(this.#tag)
    clearTimeout(this.#polling)
    this.#polling = undefined
    this.#handle = -1
    this.#events = null
    this.#counters = NOTHING
    this.#countersAt = 0
  }

  dequeue(max: number, at: number): number {
    return this.#heed(this.#addon.dequeue(this.#handle, max, at))
  }

  linger(max: number, at: number): number {
    return this.#heed(this.#addon.linger(this.#handle, max, at))
  }

  enqueue(count: number, at: number): number {
    return this.#heed(this.#addon.enqueue(this.#handle, count, at))
  }

  arm(): boolean {
    const armed = this.#addon.arm(this.#handle)
    if (armed === NO_KICK)
      this.#polling ??= setTimeout(() => {
        this.#polling = undefined
        this.#events?.wake()
      }, NO_KICK_MS).unref()
    return armed === 1
  }

  suppress(): void {
    if (this.#handle >= 0) this.#addon.suppress(this.#handle)
  }

  mute(on: boolean): void {
    if (this.#handle < 0) return
    if (on) this.#addon.queueUnwatch(this.#handle)
    else this.#watch()
  }

  count(sums: Counters): void {
    addWords(sums, this.#counters, this.#countersAt)
  }

  get notifications(): number {
    return this.#counters[this.#countersAt + NOTIFICATIONS]
  }

  #heed(result: number): number {
    if (result & COUNT) this.#shared = true
    if (result & FAULT) this.#fault()
    return result
  }

  // Without its kicks the ring would wait for ever, so it is a fault.
  #watch(): void {
    const result = this.#addon.queueWatch(this.#handle, this.#tag)
    if (result < 0) queueMicrotask(() => this.#onFault(reasonWord(result)))
  }

  /** From the wake-up: the guest kicked. */
  onEvents(): void {
    if (!this.#shared && this.#zeroKicks < ZERO_KICKS && this.#addon.queueReadsZero(this.#handle)) {
      if (++this.#zeroKicks === ZERO_KICKS) this.#onFault('mem_not_shared')
    }
    this.#events?.kick()
  }

  // Once per latch: the ring does not run any more, for us, from here on. The session may be in the middle of a step,
  // or a subscriber of a device event may be what runs this burst, so it hears of it in a microtask.
  #fault(): void {
    if (!this.#running) return
    this.#running = false
    const reason = this.#addon.queueFault(this.#handle)
    queueMicrotask(() => this.#onFault(reasonWord(reason)))
  }
}
