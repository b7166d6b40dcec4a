// PcapngWriter: one capture that any number of pipelines write to. It counts these pipelines and has the capture's
// interfaces, events and statistics. The operator (capture.ts) passes packets to recorder.ts, which copies them.
// queue.ts writes the copies.
import type { Writable } from 'node:stream'
import { type Observable, Subject } from 'rxjs'
import { debugFor } from '../debug.js'
import { VhostError } from '../errors.js'
import { CaptureClock } from './clock.js'
import type { CaptureInterface } from './interfaces.js'
import {
  type CaptureEvent,
  type CaptureStats,
  checkWriterOptions,
  type PcapngWriterOptions,
} from './options.js'
import { FileOutput, type Output, StreamOutput } from './output.js'
import { WriteQueue } from './queue.js'
import { Recorder } from './recorder.js'

/** Default size of the buffer for bytes that are not written yet: room for about 40,000 packets of 64 bytes. */
export const HIGH_WATER_BYTES = 4 << 20

const debug = debugFor('capture')

/**
 * A capture that several pipelines share. Each pipeline uses `capture(writer, { name })`. The first subscription begins
 * the file. The file ends after the last subscription has ended and all packets are written. A later subscription adds
 * a section to the file.
 */
export class PcapngWriter {
  /** Emits events of the file or stream. Never fails or completes. */
  readonly events: Observable<CaptureEvent>
  readonly #events = new Subject<CaptureEvent>()
  readonly #output: Output
  readonly #queue: WriteQueue
  /** @internal */
  readonly recorder: Recorder
  #users = 0
  #finished: (() => void)[] = []

  /** @param to A path, or a stream. */
  constructor(to: string | Writable, options: PcapngWriterOptions = {}) {
    checkWriterOptions(to, options)
    const { rotate, ring, overflow = 'drop-newest', highWaterBytes = HIGH_WATER_BYTES } = options
    this.#output =
      typeof to === 'string'
        ? new FileOutput(to, rotate !== undefined, ring)
        : new StreamOutput(to, options.end ?? true)
    this.#queue = new WriteQueue(this.#output, highWaterBytes, {
      opened: removed => {
        if (removed !== undefined) this.#emit({ type: 'removed', path: removed })
        this.#emit({ type: 'opened', path: this.#output.path })
      },
      closed: bytes => this.#emit({ type: 'closed', path: this.#output.path, bytes }),
      failed: error => this.#failed(error),
      lost: chunk => this.recorder.lost(chunk, 'failed'),
      freed: () => this.#advance(),
      idle: () => this.#idle(),
    })
    this.recorder = new Recorder(this.#queue, new CaptureClock(options.now), overflow, rotate)
    this.events = this.#events.asObservable()
    if (options.onEvent) this.#events.subscribe(options.onEvent)
  }

  /** The counters of the capture until now. */
  get stats(): CaptureStats {
    const { interfaces, held, drops } = this.recorder
    const sum = (of: 'received' | 'accepted' | 'dropped'): number =>
      interfaces.reduce((all, one) => all + one[of], 0)
    return {
      packets: sum('accepted') - sum('dropped') - held,
      held,
      filtered: sum('received') - sum('accepted'),
      drops: Object.fromEntries(Object.entries(drops).filter(([, count]) => count > 0)),
    }
  }

  /**
   * Resolves when no pipeline uses the writer, and each captured packet is either written, or lost and counted as
   * dropped.
   */
  finished(): Promise<void> {
    if (this.#isFinished) return Promise.resolve()
    return new Promise(resolve => {
      this.#finished.push(resolve)
    })
  }

  /** Returns the interface with this name and snaplen. Creates it if it does not exist. @internal */
  interfaceOf(name: string | undefined, snaplen: number): CaptureInterface {
    const { interfaces } = this.recorder
    const known = interfaces.find(one => one.name === name && one.snaplen === snaplen)
    if (known) return known
    const id = interfaces.length
    const made = { id, name: name ?? `queue${id}`, snaplen, received: 0, accepted: 0, dropped: 0 }
    this.recorder.add(made)
    return made
  }

  /** Called when a pipeline begins. Returns a function that the pipeline calls when it ends. @internal */
  use(): () => void {
    if (this.#users++ === 0 && !this.recorder.open) {
      // If the last pipeline has just ended, as with retry(), the close is still queued. Removing the close
      // continues the same file.
      if (!this.#queue.failed && this.#queue.undoClose()) this.recorder.open = true
      else this.recorder.begin()
    }
    let used = true
    return () => {
      if (!used) return
      used = false
      if (--this.#users === 0) this.#advance()
    }
  }

  get #isFinished(): boolean {
    return this.#users === 0 && !this.recorder.open && this.#queue.idle
  }

  // Copies packets under lease into free chunks. If no such packet and no pipeline is left, ends the file.
  #advance(): void {
    if (this.recorder.copyHeld() && this.#users === 0 && this.recorder.open) this.recorder.end()
  }

  #idle(): void {
    if (!this.#isFinished) return
    const finished = this.#finished
    this.#finished = []
    for (const resolve of finished) resolve()
  }

  #failed(cause: Error): void {
    const { path } = this.#output
    const reason = (cause as NodeJS.ErrnoException).code
    const error = new VhostError(
      'ERR_VHOST_CAPTURE_FAILED',
      `the capture ${path === undefined ? 'stream' : path} failed (${cause.message})`,
      {
        path,
        reason,
        cause,
        fix: 'fix the cause, or capture to another path or stream; the pipeline continues without the capture',
      },
    )
    if (!this.#events.observed) process.emitWarning(error)
    this.#emit({ type: 'failed', path, error })
  }

  #emit(event: CaptureEvent): void {
    debug('%o', event)
    this.#events.next(event)
  }
}
