// The two directions of a TAP interface as rings (data/port.ts): a source and a sink on them have leases, credit,
// backpressure and overflow like those of a guest. An interface knows no call: what the kernel takes no more of is tried
// again by the sink's timer. Readable frames come by the wake-up's epoll, as kicks do.

import { type Addon, native } from '../addon/native.js'
import { allocateTag, freeTag } from '../addon/wakeup.js'
import { addWords, type Counters } from '../data/counters/counters.js'
import { type PortEvents, type QueuePort, STOPPED } from '../data/ring/port.js'
import type { TapDevice } from './device.js'

abstract class TapPortEnd implements QueuePort {
  protected readonly addon: Addon = native()
  /** The kernel is told of a frame by giving it. */
  readonly notifications = 0
  readonly #counters: Uint32Array

  constructor(
    protected readonly device: TapDevice,
    readonly exchange: Uint32Array,
    toHost: boolean,
  ) {
    this.#counters = this.addon.tapCounters(device.handle, toHost) as Uint32Array
  }

  get running(): boolean {
    return this.device.running
  }

  abstract open(account: number, events: PortEvents): void
  abstract close(): void
  abstract arm(): boolean
  abstract suppress(): void

  dequeue(_max: number, _at: number): number {
    return STOPPED
  }

  /** The kernel has no index to watch. */
  spinDequeue(max: number, at: number): number {
    return this.dequeue(max, at)
  }

  enqueue(_count: number, _at: number): number {
    return STOPPED
  }

  /** The kernel does not kick without work. */
  mute(on: boolean): void {
    if (on) this.suppress()
  }

  count(sums: Counters): void {
    addWords(sums, this.#counters)
  }

  protected told(result: number): number {
    if (result & STOPPED) this.device.fail()
    return result
  }
}

export class FromHostPort extends TapPortEnd {
  #account = 0
  #tag = 0
  #armed = false

  constructor(device: TapDevice, exchange: Uint32Array) {
    super(device, exchange, false)
  }

  open(account: number, events: PortEvents): void {
    this.#account = account
    this.#tag = allocateTag(() => events.kick())
  }

  close(): void {
    this.suppress()
    freeTag(this.#tag)
  }

  override dequeue(max: number, at: number): number {
    return this.told(this.addon.tapRead(this.device.handle, max, at, this.#account))
  }

  // A file that is readable when it enters the epoll is reported: there is no race to look for.
  arm(): boolean {
    this.#armed = this.addon.tapArm(this.device.handle, this.#tag) === 0
    return !this.#armed
  }

  suppress(): void {
    if (this.#armed) this.addon.tapSuppress(this.device.handle)
    this.#armed = false
  }
}

export class ToHostPort extends TapPortEnd {
  constructor(device: TapDevice, exchange: Uint32Array) {
    super(device, exchange, true)
  }

  open(): void {}
  close(): void {}
  suppress(): void {}

  override enqueue(count: number, at: number): number {
    return this.told(this.addon.tapWrite(this.device.handle, count, at))
  }

  /** Nobody will kick: look again. */
  arm(): boolean {
    return true
  }
}
