// Traces the messages between a device and its front end, for the driver's `trace$` and for the debug namespace
// rx-vhost:control. While neither is in use, a message costs the check of two flags.
import { HEADER_SIZE } from '../control/codec.js'
import { type TracedMessage, traced, traceText } from '../control/trace.js'
import type { Message } from '../control/types.js'
import { debugFor } from '../debug.js'

/** One control message, as an object that JSON takes: a line of a recording. */
export interface TraceEntry extends TracedMessage {
  /** Milliseconds since the connection was made. */
  time: number
  /** Id of the device. */
  device: number
}

/** The receiver of the trace. */
export interface TraceWatcher {
  readonly observed: boolean
  next(entry: TraceEntry): void
}

const debug = debugFor('control')
const CONFIG_CHANGE_MSG = 2

export class DeviceTrace {
  readonly #device: number
  readonly #watcher: TraceWatcher | undefined
  readonly #start = performance.now()

  constructor(device: number, watcher: TraceWatcher | undefined) {
    this.#device = device
    this.#watcher = watcher
  }

  /** A message from the front end. */
  message({ request, flags, payload, fds }: Message): void {
    if (this.#wanted) this.#tell(traced('in', { request, flags, payload, fds: fds.length }))
  }

  /** A message to the front end, header included. */
  sent(bytes: Uint8Array): void {
    if (!this.#wanted) return
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    const [request, flags] = [view.getUint32(0, true), view.getUint32(4, true)]
    this.#tell(traced('out', { request, flags, payload: bytes.subarray(HEADER_SIZE), fds: 0 }))
  }

  /** A message to the front end by the back channel, where numbers mean other requests. */
  told(id: number): void {
    if (!this.#wanted) return
    const request = id === CONFIG_CHANGE_MSG ? 'CONFIG_CHANGE_MSG' : `back-end request ${id}`
    const nothing = { needReply: false, fds: 0, payload: '' }
    this.#tell({ way: 'out', request, id, ...nothing, data: { channel: 'back-end' } })
  }

  get #wanted(): boolean {
    return this.#watcher?.observed === true || debug.enabled
  }

  #tell(message: TracedMessage): void {
    if (debug.enabled) debug('%d %s', this.#device, traceText(message))
    if (!this.#watcher?.observed) return
    const time = Math.round((performance.now() - this.#start) * 1000) / 1000
    this.#watcher.next({ time, device: this.#device, ...message })
  }
}
