// The queue of bytes that a socket did not accept at once. It is limited in bytes and in time, because the peer decides
// how fast it reads.
import { native } from '../addon/native.js'

/** Room for thousands of replies. A front end normally waits for each reply, so even two would be unusual. */
export const MAX_BACKLOG = 64 * 1024

interface Chunk {
  bytes: Uint8Array
  offset: number
  fds: Uint32Array | undefined
}

const EAGAIN = -11
/** Reused for small messages, because V8 allocates a buffer outside its heap for each array that native code sees. */
const sharedRoom = new Uint8Array(64)

export class WriteQueue {
  readonly #token: number
  readonly #chunks: Chunk[] = []
  #size = 0

  constructor(token: number) {
    this.#token = token
  }

  get size(): number {
    return this.#size
  }

  /**
   * Queues bytes, and writes as many as the socket accepts. Returns the number of bytes written, or a negative errno.
   */
  send(bytes: Uint8Array, fds: readonly number[]): number {
    const chunk = { bytes, offset: 0, fds: fds.length > 0 ? Uint32Array.from(fds) : undefined }
    this.#size += bytes.length
    if (this.#chunks.length > 0) {
      this.#chunks.push(chunk)
      return this.flush()
    }
    const taken = this.#write(chunk)
    if (chunk.offset < bytes.length) this.#chunks.push(chunk)
    return taken
  }

  /** Writes as many bytes as the socket accepts. Returns their number, or a negative errno. */
  flush(): number {
    let taken = 0
    while (this.#chunks.length > 0) {
      const chunk = this.#chunks[0]
      const sent = this.#write(chunk)
      if (sent < 0) return sent
      taken += sent
      if (chunk.offset < chunk.bytes.length) break
      this.#chunks.shift()
    }
    return taken
  }

  #write(chunk: Chunk): number {
    const { bytes, offset, fds } = chunk
    const small = bytes.length <= sharedRoom.length
    if (small) sharedRoom.set(bytes)
    const from = small ? sharedRoom : bytes
    const sent = native().socketSend(this.#token, from, offset, bytes.length - offset, fds)
    if (sent === EAGAIN) return 0
    if (sent < 0) return sent
    // The fds were sent with the first byte.
    if (sent > 0) chunk.fds = undefined
    chunk.offset += sent
    this.#size -= sent
    return sent
  }
}
