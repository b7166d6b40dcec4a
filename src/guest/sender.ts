// The sending half of a guest: puts frames into the ring from guest, either given or generated. If the ring has no
// room, it waits for the back end's call, for which native code has asked. A long generation yields to the event loop
// in each turn.
import { abortable } from '../abort.js'
import { BURST_BROKEN, BURST_COUNT, BURST_MORE } from '../addon/guest.js'
import { errnoName, native } from '../addon/native.js'
import { VhostError } from '../errors.js'
import { macBytes } from './options.js'

const FRAMES_A_TURN = 1024
const BURST = 256
const EBADF = -9

/** Which frames `generate()` sends. */
export interface GenerateOptions {
  /** Number of frames. Default: no limit, until `signal` or `close()`. */
  frames?: number
  /** Length of the frames (60 at least): fixed, swept through a range, or the mix 64/594/1518. Default 64. */
  length?: number | readonly [shortest: number, longest: number] | 'imix'
  /** Id of the flow. Each flow has its own sequence numbers, which continue over several calls. Default 0. */
  source?: number
  /** Destination address. Default ff:ff:ff:ff:ff:ff. */
  destination?: string
  /** Ends the generation: `generate()` then resolves with the number of frames that went into the ring. */
  signal?: AbortSignal
}

const broken = () =>
  new VhostError('ERR_VHOST_RING', 'the back end corrupted the ring from guest', { ring: 1 })

export class Sender {
  readonly #handle: number
  readonly #mac: Uint8Array
  readonly #transmitBuffer: number
  readonly #one = new Uint32Array(1)
  readonly #sequences = new Map<number, number>()
  #waiting: (() => void)[] = []
  #generating = false
  #closed = false

  constructor(handle: number, mac: string, transmitBuffer: number) {
    this.#handle = handle
    this.#mac = macBytes(mac)
    this.#transmitBuffer = transmitBuffer
  }

  send(bytes: Uint8Array, header?: Uint8Array): boolean {
    this.#one[0] = bytes.length
    return this.#result(native().guestSend(this.#handle, bytes, this.#one, 1, header)) === 1
  }

  sendBurst(frames: readonly Uint8Array[], headers?: readonly Uint8Array[]): number {
    const lengths = Uint32Array.from(frames, frame => frame.length)
    const joined = headers && Buffer.concat(headers)
    return this.#result(
      native().guestSend(this.#handle, Buffer.concat(frames), lengths, frames.length, joined),
    )
  }

  /** Resolves when the back end has taken frames from a full ring. */
  room(signal?: AbortSignal): Promise<void> {
    return abortable(signal, resolve => {
      this.#waiting.push(resolve)
      return () => {
        this.#waiting = this.#waiting.filter(other => other !== resolve)
      }
    })
  }

  async generate(options: GenerateOptions): Promise<number> {
    if (this.#generating)
      throw new VhostError('ERR_VHOST_QUEUE_IN_USE', 'another generate() is still running')
    const { frames = Number.POSITIVE_INFINITY, source = 0, signal } = options
    this.#configure(options, source)
    this.#generating = true
    const wake = () => this.onCall()
    signal?.addEventListener('abort', wake)
    let sent = 0
    try {
      while (sent < frames && !this.#closed && !signal?.aborted) {
        const turn = this.#turn(Math.min(FRAMES_A_TURN, frames - sent))
        sent += turn.sent
        if (turn.full) await this.room()
        else if (sent < frames) await new Promise(resolve => setImmediate(resolve))
      }
    } finally {
      signal?.removeEventListener('abort', wake)
      this.#generating = false
      this.#sequences.set(source, (this.#sequences.get(source) ?? 0) + sent)
    }
    return sent
  }

  onCall(): void {
    if (this.#waiting.length === 0) return
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  close(): void {
    this.#closed = true
    this.onCall()
  }

  #turn(frames: number): { sent: number; full: boolean } {
    let sent = 0
    while (sent < frames) {
      const result = native().guestGenerate(this.#handle, Math.min(BURST, frames - sent))
      sent += this.#result(result)
      if (result & BURST_MORE) return { sent, full: true }
    }
    return { sent, full: false }
  }

  #configure({ length = 64, destination = 'ff:ff:ff:ff:ff:ff' }: GenerateOptions, source: number): void {
    const [kind, shortest, longest] =
      length === 'imix'
        ? [2, 64, 1518]
        : typeof length === 'number'
          ? [0, length, length]
          : [1, length[0], length[1]]
    if (!(shortest >= 60 && longest >= shortest && longest <= this.#transmitBuffer))
      throw new RangeError(`frames must have 60 to ${this.#transmitBuffer} bytes (option transmitBuffer)`)
    const config = Float64Array.of(source, this.#sequences.get(source) ?? 0, kind, shortest, longest)
    const error = native().guestGenerator(
      this.#handle,
      config,
      Buffer.concat([macBytes(destination), this.#mac]),
    )
    if (error < 0)
      throw new RangeError('these lengths are not possible: at least 60, and the first at most the last')
  }

  #result(result: number): number {
    if (result === EBADF)
      throw new VhostError('ERR_VHOST_DEVICE_GONE', 'the guest is closed', { fix: 'make another GuestPort' })
    if (result < 0)
      throw new RangeError(`a frame is empty or longer than the option transmitBuffer (${errnoName(result)})`)
    if (result & BURST_BROKEN) throw broken()
    return result & BURST_COUNT
  }
}
