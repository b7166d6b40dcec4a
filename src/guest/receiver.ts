// The receiving half of a guest: takes frames out of the ring to guest, as private copies for subscribers or for the
// native checker. Without either, frames stay in the ring, and the back end runs out of buffers, as with a guest that
// does not read. It takes a limited number of frames per turn of the event loop.
import { map, Observable, type Subscriber } from 'rxjs'
import { abortable } from '../abort.js'
import { BURST_BROKEN, BURST_COUNT, BURST_MORE, MAX_SOURCES, REPORT_FIELDS } from '../addon/guest.js'
import { native } from '../addon/native.js'
import { VhostError } from '../errors.js'

const FRAMES_A_TURN = 1024
const BURST = 256
const HEADER_BYTES = 12
const COPY_BYTES = 512 * 1024

/** A received frame with its virtio-net header, 12 bytes (num_buffers last, if the device has it). */
export interface ReceivedFrame {
  /** The Ethernet frame. */
  bytes: Uint8Array
  /** Its virtio-net header. */
  header: Uint8Array
}

/** What the checker has counted of one flow of numbered frames. */
export interface SourceReport {
  /** Id of the flow; see `generate()`. */
  source: number
  /** Intact frames. */
  received: number
  /** Numbers that did not come. */
  lost: number
  /** Frames with a lower number than an earlier frame. */
  reordered: number
  /** Numbers that came more than once. */
  duplicated: number
  /** Frames with a byte that differs from the byte that was sent. */
  corrupted: number
  /** The next sequence number. */
  next: number
}

/** Sums over all flows, and each flow. */
export interface Report extends Omit<SourceReport, 'source' | 'next'> {
  /** Frames without a number of `generate()`. */
  foreign: number
  /** The counts of each flow. */
  sources: SourceReport[]
}

interface Waiter {
  frames: number
  resolve(report: Report): void
  reject(error: Error): void
}

export class Receiver {
  readonly received: Observable<ReceivedFrame>
  readonly frames: Observable<Uint8Array>
  readonly #handle: number
  readonly #subscribers = new Set<Subscriber<ReceivedFrame>>()
  readonly #numbers = new Float64Array(2 + MAX_SOURCES * REPORT_FIELDS)
  #waiters: Waiter[] = []
  #copies?: { bytes: Uint8Array; lengths: Uint32Array; headers: Uint8Array }
  #checking = false
  #scheduled = false
  #closed = false

  constructor(handle: number) {
    this.#handle = handle
    this.received = new Observable(subscriber => {
      if (this.#closed) return subscriber.complete()
      this.#subscribers.add(subscriber)
      this.#schedule()
      return () => this.#subscribers.delete(subscriber)
    })
    this.frames = this.received.pipe(map(({ bytes }) => bytes))
  }

  check(adopt: boolean): void {
    native().guestCheckReset(this.#handle, adopt)
    this.#checking = true
    this.#schedule()
  }

  stopChecking(): void {
    this.#checking = false
  }

  get report(): Report {
    const numbers = this.#numbers
    const count = native().guestReport(this.#handle, numbers)
    const sources = Array.from({ length: Math.max(count, 0) }, (_, n) => {
      const [source, received, lost, reordered, duplicated, corrupted, next] = numbers.subarray(
        2 + n * REPORT_FIELDS,
      )
      return { source, received, lost, reordered, duplicated, corrupted, next }
    })
    const sum = (pick: (source: SourceReport) => number) =>
      sources.reduce((total, source) => total + pick(source), 0)
    return {
      received: sum(source => source.received),
      lost: sum(source => source.lost),
      reordered: sum(source => source.reordered),
      duplicated: sum(source => source.duplicated),
      corrupted: numbers[0],
      foreign: numbers[1],
      sources,
    }
  }

  whenReceived(frames: number, signal?: AbortSignal): Promise<Report> {
    return abortable(signal, (resolve, reject) => {
      const waiter = { frames, resolve, reject }
      this.#waiters.push(waiter)
      this.#wake()
      return () => {
        this.#waiters = this.#waiters.filter(other => other !== waiter)
      }
    })
  }

  onCall(): void {
    if (!this.#scheduled) this.#drain()
  }

  close(): void {
    this.#closed = true
    for (const subscriber of this.#subscribers) subscriber.complete()
    this.#subscribers.clear()
    const error = new VhostError(
      'ERR_VHOST_DEVICE_GONE',
      'the guest was closed while frames were waited for',
      {
        fix: 'close() it once they have come, or make another GuestPort',
      },
    )
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error)
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#drain()
    })
  }

  #drain(): void {
    for (let frames = 0; frames < FRAMES_A_TURN; ) {
      if (this.#closed || !(this.#checking || this.#subscribers.size > 0)) return
      const result = this.#checking ? native().guestCheck(this.#handle, BURST) : this.#copyOut()
      if (result < 0 || result & BURST_BROKEN) {
        this.#fail()
        return
      }
      frames += result & BURST_COUNT
      this.#wake()
      if (!(result & BURST_MORE)) return
    }
    this.#schedule()
  }

  #copyOut(): number {
    this.#copies ??= {
      bytes: new Uint8Array(COPY_BYTES),
      lengths: new Uint32Array(BURST),
      headers: new Uint8Array(BURST * HEADER_BYTES),
    }
    const { bytes, lengths, headers } = this.#copies
    const result = native().guestReceive(this.#handle, bytes, lengths, BURST, headers)
    const count = result < 0 ? 0 : result & BURST_COUNT
    for (let n = 0, at = 0; n < count; at += lengths[n++]) {
      const frame = {
        bytes: bytes.slice(at, at + lengths[n]),
        header: headers.slice(n * HEADER_BYTES, (n + 1) * HEADER_BYTES),
      }
      for (const subscriber of this.#subscribers) subscriber.next(frame)
    }
    return result
  }

  #wake(): void {
    if (this.#waiters.length === 0) return
    const report = this.report
    this.#waiters = this.#waiters.filter(waiter => {
      if (report.received < waiter.frames) return true
      waiter.resolve(report)
      return false
    })
  }

  #fail(): void {
    const error = new VhostError('ERR_VHOST_RING', 'the back end corrupted the ring to guest', { ring: 0 })
    for (const subscriber of this.#subscribers) subscriber.error(error)
    this.#subscribers.clear()
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error)
  }
}
