// The two directions of a TAP interface as ports (data/ring/port.ts), so that a source and a sink on them have leases, credit,
// backpressure and overflow like those of a guest. The epoll reports readable frames, as it reports kicks. Nothing reports room
// for packets to the host, so that the sink's timer tries again.

import { type Addon, native } from '../addon/native.js'
import { allocateTag, freeTag } from '../addon/wakeup.js'
import { addWords, type Counters } from '../data/counters/counters.js'
import { type PortEvents, type QueuePort, STOPPED } from '../data/ring/port.js'
import type { TapDevice } from './device.js'

abstract class TapPortEnd implements QueuePort {
  protected readonly addon: Addon = native()
  /** None: a write tells the kernel. */
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

  /** The kernel has no index to watch. */
  spinDequeue(max: number, at: number): number {
    return this.dequeue(max, at)
  }

  enqueue(_count: number, _at: number): number {
    return STOPPED
  }

  /** A muted port reports no frames. */
  mute(on: boolean): void {
    if (on) this.suppress()
  }

  count(sums: Counters): void {
    addWords(sums, this.#counters)
  }

  /** Ends the device if the result of a burst says so. */
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

  // There is no race: epoll reports a file that is readable already when it is added.
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

  /** No event will come, so the sink has to try again. */
  arm(): boolean {
    return true
  }
}
