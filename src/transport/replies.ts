// What is still to be written to a socket that would not take it at once. Bounded in bytes and in time, since the
// peer decides how fast it reads.
import { native } from '../native.js'

/** Thousands of replies; a front end waits for each of its own, so more than one is odd already. */
export const MAX_BACKLOG = 64 * 1024

interface Chunk {
  bytes: Uint8Array
  offset: number
  fds: Uint32Array | undefined
}

const EAGAIN = -11

export class WriteQueue {
  readonly #token: number
  #chunks: Chunk[] = []
  #size = 0

  constructor(token: number) {
    this.#token = token
  }

  get size(): number {
    return this.#size
  }

  add(bytes: Uint8Array, fds: readonly number[]): void {
    this.#chunks.push({ bytes, offset: 0, fds: fds.length > 0 ? Uint32Array.from(fds) : undefined })
    this.#size += bytes.length
  }

  /** Writes what the socket takes: the bytes taken, or a negative errno. */
  flush(): number {
    let taken = 0
    while (this.#chunks.length > 0) {
      const chunk = this.#chunks[0]
      const length = chunk.bytes.length - chunk.offset
      const sent = native().socketSend(this.#token, chunk.bytes, chunk.offset, length, chunk.fds)
      if (sent === EAGAIN) break
      if (sent < 0) return sent
      taken += sent
      this.#size -= sent
      // fds went with the first byte.
      chunk.fds = undefined
      chunk.offset += sent
      if (chunk.offset < chunk.bytes.length) break
      this.#chunks.shift()
    }
    return taken
  }
}
