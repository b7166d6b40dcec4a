// The two directions of a TAP interface as ports (data/ring/port.ts). So a source and a sink can use them like a
// guest's rings, with leases, credit, backpressure and overflow. epoll reports readable frames in the same way as
// kicks. There is no event when the kernel has room for packets to the host. So the sink tries again with a timer.

import { type Addon, native } from '../addon/native.js'
import { allocateTag, freeTag } from '../addon/wakeup.js'
import { addWords, type Counters } from '../data/counters/counters.js'
import { type PortEvents, type QueuePort, STOPPED } from '../data/ring/port.js'
import type { TapDevice } from './device.js'

abstract class TapPortEnd implements QueuePort {
  protected readonly addon: Addon = native()
  /** Always 0. No notification is needed, because a write passes the packet to the kernel. */
  readonly notifications = 0
  readonly walked = 0
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

  /** Does not spin, because a TAP interface has no ring index in memory to watch. */
  spinDequeue(max: number, at: number): number {
    return this.dequeue(max, at)
  }

  enqueue(_count: number, _at: number): number {
    return STOPPED
  }

  /** Stops reporting readable frames if `on` is true. */
  mute(on: boolean): void {
    if (on) this.suppress()
  }

  count(sums: Counters): void {
    addWords(sums, this.#counters)
  }

  /** Reports that the device failed, if the result of a burst has STOPPED set. Returns the result. */
  protected checked(result: number): number {
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
    return this.checked(this.addon.tapRead(this.device.handle, max, at, this.#account))
  }

  // No frame is missed: if the file is already readable when it is added, epoll reports it.
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
    return this.checked(this.addon.tapWrite(this.device.handle, count, at))
  }

  /** Returns true, because no event will come. So the sink must try again later. */
  arm(): boolean {
    return true
  }
}
