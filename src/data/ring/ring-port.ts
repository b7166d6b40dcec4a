// A queue's port on a ring of a guest: the addon's calls on one handle, and the ring's kicks, which the wake-up
// reports. The session tells the port whether the ring runs; the port tells the session of faults that a burst found.
import { type Addon, native } from '../../addon/native.js'
import { reasonWord } from '../../addon/reasons.js'
import { freeTag, type Tagged, tagFor } from '../../addon/wakeup.js'
import { addWords, type Counters, counterAt, RING_COUNTERS } from '../counters/counters.js'
import { dataPlane } from '../env.js'
import type { Share } from '../turn/task.js'
import { COUNT, FAULT, type PortEvents, type QueuePort } from './port.js'
import { blockOf, placeInBlock } from './queue-counters.js'

/**
 * Kicks on a ring that reads as all zeros before the port reports that the memory is not shared. One such kick is normal:
 * QEMU kicks every ring when it starts the device.
 */
const ZERO_KICKS = 3
/** Milliseconds between two looks at an empty ring whose front end gave it no kick fd (vhost-user, SET_VRING_KICK). */
const NO_KICK_MS = 1
/** Result of the addon's arm(): the ring has no kick fd. */
const NO_KICK = 2

export interface RingPortOptions {
  device: number
  ring: number
  running: boolean
  /** The share of the device. */
  share: Share
  /** The ring was latched, or its memory seems not to be shared, for `reason`. */
  onFault: (reason: string) => void
  /** The queue has closed the port. */
  onClose: (port: RingPort) => void
}

const NO_COUNTS: Uint32Array = new Uint32Array(2 * RING_COUNTERS.length)
/** The indexes of these counters' lower words. */
const NOTIFICATIONS = 2 * counterAt('guest_notifications')
const WALKED = 2 * counterAt('walked-descriptors')

export class RingPort implements QueuePort, Tagged {
  readonly exchange: Uint32Array
  readonly share: Share
  readonly #device: number
  readonly #ring: number
  readonly #onFault: (reason: string) => void
  readonly #onClose: (port: RingPort) => void
  readonly #addon: Addon = native()
  /** Native memory that has the counters of this port; zeros while it is not open. */
  #counters = NO_COUNTS
  /** The index of the first word that belongs to this port. */
  #countersAt = 0
  #handle = -1
  #tag = 0
  #events: PortEvents | null = null
  #running: boolean
  #zeroKicks = 0
  /** Packets were moved, so the memory is shared. Zeros are then normal: the guest reboots. */
  #shared = false
  #polling: NodeJS.Timeout | undefined

  constructor({ device, ring, running, share, onFault, onClose }: RingPortOptions) {
    this.exchange = dataPlane().pool.exchange
    this.share = share
    this.#device = device
    this.#ring = ring
    this.#running = running
    this.#onFault = onFault
    this.#onClose = onClose
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

  /** From the session: a ring has lost its kick fd. A queue that waits for its kick looks at the ring instead. */
  kickLost(ring: number): void {
    if (ring === this.#ring) this.#events?.wake()
  }

  open(account: number, events: PortEvents): void {
    const handle = this.#addon.queueOpen(this.#device, this.#ring, account)
    if (handle < 0) return // the device is gone, and every later call returns STOPPED
    this.#handle = handle
    this.#events = events
    this.#counters = blockOf(handle)
    this.#countersAt = placeInBlock(handle)
    this.#tag = tagFor(this)
    this.#watch()
  }

  close(): void {
    this.#onClose(this)
    if (this.#handle < 0) return
    this.#addon.queueClose(this.#handle)
    freeTag(this.#tag)
    clearTimeout(this.#polling)
    this.#polling = undefined
    this.#handle = -1
    this.#events = null
    this.#counters = NO_COUNTS
    this.#countersAt = 0
  }

  dequeue(max: number, at: number): number {
    return this.#noteResult(this.#addon.dequeue(this.#handle, max, at))
  }

  spinDequeue(max: number, at: number): number {
    return this.#noteResult(this.#addon.spinWait(this.#handle, max, at))
  }

  enqueue(count: number, at: number): number {
    return this.#noteResult(this.#addon.enqueue(this.#handle, count, at))
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

  get walked(): number {
    return this.#counters[this.#countersAt + WALKED]
  }

  #noteResult(result: number): number {
    if (result & COUNT) this.#shared = true
    if (result & FAULT) this.#fault()
    return result
  }

  // A ring whose kicks cannot be watched would wait for ever, so that is a fault.
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

  // Reports a latched ring once. From here on the ring does not run for the queue. The session is told in a microtask,
  // since it may be in the middle of a step: a subscriber of a device event can call dequeueBurst().
  #fault(): void {
    if (!this.#running) return
    this.#running = false
    const reason = this.#addon.queueFault(this.#handle)
    queueMicrotask(() => this.#onFault(reasonWord(reason)))
  }
}
