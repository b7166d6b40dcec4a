// A queue's port on a real ring: the addon's calls on one handle, and the ring's kicks as they come from the wake-up.
// The session tells it whether the ring runs; it tells the session of faults that a burst has met.
import { type Addon, native } from '../native.js'
import { allocateTag, freeTag } from '../wakeup.js'
import { FIRST_DROP, STAT_NAMES } from './counters.js'
import { dataPlane } from './env.js'
import { COUNT, DROP_SHIFT, FAULT, type Moved, type PortEvents, type QueuePort } from './port.js'

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
  /** The ring's native counters when its ports last looked: shared by all of them, so that each drop is told once. */
  seen: Float64Array
  /** The ring was latched, or looks as if its memory were not shared. */
  onFault: (reason: number | 'mem_not_shared') => void
}

/** What `seen` is made with. */
export const newCounters = (): Float64Array => new Float64Array(STAT_NAMES.length)
const now = newCounters()
const PACKETS = STAT_NAMES.indexOf('packets')
const BYTES = STAT_NAMES.indexOf('bytes')

export class RingPort implements QueuePort {
  readonly exchange: Uint32Array
  readonly #device: number
  readonly #ring: number
  readonly #onFault: (reason: number | 'mem_not_shared') => void
  readonly #drops: Record<string, number> = {}
  readonly #seen: Float64Array
  readonly #addon: Addon = native()
  /** What the ring had moved when this port opened. */
  #before: Moved = { packets: 0, bytes: 0 }
  #handle = -1
  #tag = 0
  #events: PortEvents | null = null
  #running: boolean
  #zeroKicks = 0
  /** Packets were moved, so the memory is shared: zeroes are then those of a guest that reboots. */
  #shared = false
  #polling: NodeJS.Timeout | undefined

  constructor({ device, ring, running, seen, onFault }: RingPortOptions) {
    this.exchange = dataPlane().pool.exchange
    this.#device = device
    this.#ring = ring
    this.#running = running
    this.#seen = seen
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
    if (ring === this.#ring) this.#events?.kick()
  }

  open(account: number, events: PortEvents): void {
    const handle = this.#addon.queueOpen(this.#device, this.#ring, account)
    if (handle < 0) return // the device is gone: every call answers so
    this.#handle = handle
    this.#events = events
    this.#before = this.moved()
    this.#tag = allocateTag(() => this.#kicked())
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
  }

  dequeue(max: number, at: number): number {
    const result = this.#addon.dequeue(this.#handle, max, at)
    if (result & COUNT) this.#shared = true
    if (result >>> DROP_SHIFT) this.#countDrops()
    if (result & FAULT) this.#fault()
    return result
  }

  enqueue(count: number, at: number): number {
    const result = this.#addon.enqueue(this.#handle, count, at)
    if (result & COUNT) this.#shared = true
    if (result >>> DROP_SHIFT) this.#countDrops()
    if (result & FAULT) this.#fault()
    return result
  }

  arm(): boolean {
    const armed = this.#addon.arm(this.#handle)
    if (armed === NO_KICK)
      this.#polling ??= setTimeout(() => {
        this.#polling = undefined
        this.#events?.kick()
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

  moved(): Moved {
    this.#addon.queueStats(this.#handle, now)
    return {
      packets: now[PACKETS] - this.#before.packets,
      bytes: now[BYTES] - this.#before.bytes,
    }
  }

  drops(): Readonly<Record<string, number>> {
    return this.#drops
  }

  // Without its kicks the ring would wait for ever, so it is a fault.
  #watch(): void {
    const result = this.#addon.queueWatch(this.#handle, this.#tag)
    if (result < 0) queueMicrotask(() => this.#onFault(result))
  }

  #countDrops(): void {
    this.#addon.queueStats(this.#handle, now)
    for (let i = FIRST_DROP; i < STAT_NAMES.length; i++) {
      const dropped = now[i] - this.#seen[i]
      if (dropped > 0) this.#drops[STAT_NAMES[i]] = (this.#drops[STAT_NAMES[i]] ?? 0) + dropped
    }
    this.#seen.set(now)
  }

  #kicked(): void {
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
    queueMicrotask(() => this.#onFault(reason))
  }
}
