// The bytes of a capture: from a file, which is read in pieces, or from memory. The reader asks for a number of bytes.
// If they are not available, a callback tells the reader when there are more.
import { close, open, read } from 'node:fs'

/** Bytes per read of the file, enough for thousands of frames. */
const READ_BYTES = 1 << 20

export interface Input {
  /** The buffer with the bytes. Valid until the next call of `need()`. */
  readonly view: DataView
  /** The offset of the next byte in `view`. */
  readonly at: number
  /** Number of available bytes. */
  readonly left: number
  /** Whether the input has ended. If so, no more bytes will become available. */
  readonly ended: boolean
  /** The offset of the next byte in the file. */
  readonly position: number
  /**
   * Returns whether this number of bytes is available. If not, `onMore` is called later, when there are more bytes or
   * the input has ended.
   */
  need(bytes: number): boolean
  consume(bytes: number): void
  /** Starts again at the first byte. */
  rewind(): void
  close(): void
}

export class MemoryInput implements Input {
  readonly view: DataView
  readonly ended = true
  at = 0

  constructor(bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get left(): number {
    return this.view.byteLength - this.at
  }

  get position(): number {
    return this.at
  }

  need(bytes: number): boolean {
    return this.left >= bytes
  }

  consume(bytes: number): void {
    this.at += bytes
  }

  rewind(): void {
    this.at = 0
  }

  close(): void {}
}

export class FileInput implements Input {
  view: DataView
  at = 0
  ended = false
  position = 0
  #bytes = new Uint8Array(READ_BYTES)
  #end = 0
  #fd = -1
  /** Whether the file is being opened or read. */
  #busy = false
  /** Incremented by rewind() and close(), so that the result of an earlier read is ignored. */
  #epoch = 0
  #closed = false
  readonly #path: string
  readonly #onMore: () => void
  readonly #onError: (error: Error) => void

  constructor(path: string, onMore: () => void, onError: (error: Error) => void) {
    this.#path = path
    this.#onMore = onMore
    this.#onError = onError
    this.view = new DataView(this.#bytes.buffer)
  }

  get left(): number {
    return this.#end - this.at
  }

  need(bytes: number): boolean {
    if (this.left >= bytes) return true
    if (!this.ended && !this.#busy && !this.#closed) this.#more(bytes)
    return false
  }

  consume(bytes: number): void {
    this.at += bytes
    this.position += bytes
  }

  rewind(): void {
    this.#epoch++
    this.at = this.#end = this.position = 0
    this.ended = false
  }

  close(): void {
    this.#epoch++
    this.#closed = true
    if (!this.#busy) this.#release()
  }

  #more(bytes: number): void {
    this.#busy = true
    if (this.#fd >= 0) this.#read(bytes)
    else
      open(this.#path, 'r', (error, fd) => {
        if (!error) this.#fd = fd
        if (error || this.#closed) this.#done(error)
        else this.#read(bytes)
      })
  }

  #read(bytes: number): void {
    const epoch = this.#epoch
    this.#makeRoom(bytes)
    const [end, size] = [this.#end, this.#bytes.length]
    read(this.#fd, this.#bytes, end, size - end, this.position + end, (error, count) => {
      if (epoch === this.#epoch) {
        this.#end += count ?? 0
        this.ended = count === 0
      }
      this.#done(error)
    })
  }

  // Moves the unread bytes to the front of the buffer. If the buffer is too small, moves them to a larger one.
  #makeRoom(bytes: number): void {
    const left = this.#bytes.subarray(this.at, this.#end)
    if (bytes > this.#bytes.length) {
      this.#bytes = new Uint8Array(2 * bytes)
      this.view = new DataView(this.#bytes.buffer)
      this.#bytes.set(left)
    } else this.#bytes.copyWithin(0, this.at, this.#end)
    this.#end = left.length
    this.at = 0
  }

  #done(error: Error | null): void {
    this.#busy = false
    if (this.#closed) this.#release()
    else if (error) this.#onError(error)
    else this.#onMore()
  }

  #release(): void {
    if (this.#fd >= 0) close(this.#fd)
    this.#fd = -1
  }
}
