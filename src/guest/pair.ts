// One queue pair of a guest. It sends frames through the ring from guest (sender.ts) and receives frames from the ring to
// guest (receiver.ts).
import type { Observable } from 'rxjs'
import { type GuestStatName, STATS } from '../addon/guest.js'
import { native } from '../addon/native.js'
import { type Watch, watch } from '../addon/wakeup.js'
import type { ResolvedOptions } from './options.js'
import { type ReceivedFrame, Receiver, type Report } from './receiver.js'
import { type GenerateOptions, Sender } from './sender.js'
import { RINGS } from './session.js'

/** Options of the methods that wait. */
export interface WaitOptions {
  /** Once aborted, the wait ends: its promise rejects with the signal's reason. */
  signal?: AbortSignal
}

/** A queue pair of a `GuestPort`, which sends and receives frames, and checks numbered ones. */
export class GuestPair {
  /** Native handle, for tests that write into the guest's memory (`AddonGuest`). */
  readonly handle: number
  readonly #sender: Sender
  readonly #receiver: Receiver
  #watches: Watch[] = []

  /** @internal */
  constructor(handle: number, { mac, transmitBuffer }: ResolvedOptions) {
    this.handle = handle
    this.#sender = new Sender(handle, mac, transmitBuffer)
    this.#receiver = new Receiver(handle)
  }

  /** Puts a frame into the ring; false if it has no room. `header`: a virtio_net_hdr of 10 bytes. */
  send(frame: Uint8Array, header?: Uint8Array): boolean {
    return this.#sender.send(frame, header)
  }

  /** Puts as many frames into the ring as it has room for, and returns their number. */
  sendBurst(frames: readonly Uint8Array[], headers?: readonly Uint8Array[]): number {
    return this.#sender.sendBurst(frames, headers)
  }

  /**
   * Resolves when the ring has room again after a `send()` without room. An aborted `signal` rejects with its reason.
   */
  room({ signal }: WaitOptions = {}): Promise<void> {
    return this.#sender.room(signal)
  }

  /** Received frames, each a private copy. Frames wait in the ring while nobody is subscribed. */
  get frames(): Observable<Uint8Array> {
    return this.#receiver.frames
  }

  /** Received frames with their virtio-net headers. */
  get received(): Observable<ReceivedFrame> {
    return this.#receiver.received
  }

  /**
   * Sends numbered frames, which `check()` can verify byte by byte. Resolves with the number of frames that went into
   * the ring.
   */
  generate(options: GenerateOptions = {}): Promise<number> {
    return this.#sender.generate(options)
  }

  /**
   * From now on received frames go to the checker instead of `frames`. `adopt`: numbers may begin with any number
   * instead of 0.
   */
  check({ adopt = false } = {}): void {
    this.#receiver.check(adopt)
  }

  /** Ends `check()`: received frames go to `frames` again. */
  stopChecking(): void {
    this.#receiver.stopChecking()
  }

  /** What the checker has counted since `check()`. */
  get report(): Report {
    return this.#receiver.report
  }

  /** Resolves when the checker has received `frames` intact frames. An aborted `signal` rejects with its reason. */
  whenReceived(frames: number, { signal }: WaitOptions = {}): Promise<Report> {
    return this.#receiver.whenReceived(frames, signal)
  }

  /** With `autoPost: false`: posts up to `count` receive buffers, and returns the number of buffers posted. */
  postReceive(count = 0xffffffff): number {
    return native().guestPostReceive(this.handle, count)
  }

  /** The counts of the driver since the rings were made. */
  get stats(): Record<GuestStatName, number> {
    const values = new Float64Array(STATS.length)
    native().guestStats(this.handle, values)
    return Object.fromEntries(STATS.map((name, n) => [name, values[n]])) as Record<GuestStatName, number>
  }

  /** @internal */
  watchCalls(calls: readonly number[]): void {
    const halves = [this.#receiver, this.#sender]
    this.#watches = RINGS.map(ring => watch(calls[ring], 'edge', () => halves[ring].onCall()))
  }

  /**
   * Called when the rings start, so that pending sends and receives try again. `again`: the rings ran before. @internal
   */
  started(again: boolean): void {
    // The back end did not see the kicks for buffers that were posted while the rings were stopped.
    if (again) for (const ring of RINGS) native().guestKickNow(this.handle, ring)
    this.#receiver.onCall()
    this.#sender.onCall()
  }

  /** @internal */
  end(): void {
    this.#sender.close()
    this.#receiver.close()
    for (const open of this.#watches) open.close()
  }
}
