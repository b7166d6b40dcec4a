// A queue's port on a real ring: the addon's calls on one handle, and the ring's kicks as they come from the wake-up.
// The session tells it whether the ring runs; it tells the session of faults that a burst has met.
import { native } from '../native.js'
import { allocateTag, freeTag } from '../wakeup.js'
import { DROP_STATS, STATS } from './native-stats.js'
import { dataPlane } from './plane.js'
import { FAULT, type PortEvents, type QueuePort } from './port.js'

/** Kicks on a ring that reads as all zeros before it is told as memory that is not shared. One kick is normal: QEMU
 * kicks every ring when it starts the device. */
const ZERO_KICKS = 3

export class RingPort implements QueuePort {
  readonly exchange: Uint32Array
  readonly #device: number
  readonly #ring: number
  readonly #onFault: (reason: number | 'mem_not_shared') => void
  readonly #stats = new Float64Array(STATS.length)
  #handle = -1
  #tag = 0
  #events: PortEvents | null = null
  #running: boolean
  #zeroKicks = 0

  constructor(device: number, ring: number, running: boolean, onFault: (reason: number | 'mem_not_shared') => void) {
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

  open(account: number, events: PortEvents): void {
    const handle = native().queueOpen(this.#device, this.#ring, account)
    if (handle < 0) return // the device is gone: every call answers so
    this.#handle = handle
    this.#events = events
    this.#tag = allocateTag(() => this.#kicked())
    native().queueWatch(handle, this.#tag)
  }

  close(): void {
    if (this.#handle < 0) return
    this.#readStats()
    native().queueClose(this.#handle)
    freeTag(this.#tag)
    this.#handle = -1
    this.#events = null
  }

  dequeue(max: number): number {
    const result = native().dequeue(this.#handle, max)
    if (result & FAULT) this.#fault()
    return result
  }

  enqueue(count: number): number {
    const result = native().enqueue(this.#handle, count)
    if (result & FAULT) this.#fault()
    return result
  }

  arm(): boolean {
    return native().arm(this.#handle) === 1
  }

  suppress(): void {
    if (this.#handle >= 0) native().suppress(this.#handle)
  }

  mute(on: boolean): void {
    if (this.#handle < 0) return
    if (on) native().queueUnwatch(this.#handle)
    else native().queueWatch(this.#handle, this.#tag)
  }

  drops(): Record<string, number> {
    this.#readStats()
    const drops: Record<string, number> = {}
    for (const [index, name] of DROP_STATS) if (this.#stats[index] > 0) drops[name] = this.#stats[index]
    return drops
  }

  #readStats(): void {
    if (this.#handle >= 0) native().queueStats(this.#handle, this.#stats)
  }

  #kicked(): void {
    if (this.#zeroKicks < ZERO_KICKS && native().queueReadsZero(this.#handle)) {
      if (++this.#zeroKicks === ZERO_KICKS) this.#onFault('mem_not_shared')
    }
    this.#events?.kick()
  }

  // Once per latch: the ring does not run any more, for us, from here on. The session may be in the middle of a step,
  // or a subscriber of a device event may be what runs this burst, so it hears of it in a microtask.
  #fault(): void {
    if (!this.#running) return
    this.#running = false
    const reason = native().queueFault(this.#handle)
    queueMicrotask(() => this.#onFault(reason))
  }
}
