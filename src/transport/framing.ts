// Turns the bytes of a stream into messages, however the stream is cut. The reader offers room for exactly the header,
// then for exactly its payload. So one read never spans two messages, and fds that arrive with the bytes of a header
// belong to that message. (vhost-user "Header": request, flags, size.)

export const HEADER_SIZE = 12
/** Far above the size of any request in the table. A message that claims a larger payload ends the connection. */
export const MAX_BODY = 4096
/** As many as a memory table has regions. */
export const MAX_FDS = 8

const VERSION = 1
const VERSION_MASK = 0x3
const FLAG_REPLY = 0x4
const KNOWN_FLAGS = 0xf

export interface Message {
  request: number
  flags: number
  payload: Uint8Array
  /** Tokens of the fds that came with the message. The receiver of the message owns them. */
  fds: number[]
}

/** The reason for which a connection ends. `hang_up`: the peer closed it. */
export type CloseCode =
  | 'hang_up'
  | 'msg_eof'
  | 'msg_timeout'
  | 'msg_too_big'
  | 'msg_version'
  | 'msg_flags'
  | 'msg_fds'
  | 'msg_ctrunc'
  | 'fd_exhausted'
  | 'reply_backlog'

/**
 * Shared by all readers that hold no bytes of a message: most reads return a whole header or body. A reader with a
 * partial message has an array of its own.
 */
const sharedRoom = new Uint8Array(MAX_BODY)
const nothing = new Uint8Array()

const wordAt = (bytes: Uint8Array, at: number): number =>
  (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0

export class MessageReader {
  /** The next bytes go here, from `filled` to `wanted`. After `advance()`, another reader may use the array. */
  room = sharedRoom
  filled = 0
  wanted = HEADER_SIZE
  readonly #fromBackEnd: boolean
  #inBody = false
  #request = 0
  #flags = 0
  #fds: number[] = []

  /** `fromBackEnd`: messages are replies, as a front end reads them. */
  constructor(fromBackEnd: boolean) {
    this.#fromBackEnd = fromBackEnd
  }

  /** Returns true if a part of a message has arrived. */
  get underWay(): boolean {
    return this.#inBody || this.filled > 0
  }

  get inBody(): boolean {
    return this.#inBody
  }

  get fdCount(): number {
    return this.#fds.length
  }

  /** Adds an fd that came with the bytes of a header. */
  addFd(fd: number): void {
    this.#fds.push(fd)
  }

  /** Counts `bytes` more in `room`. Returns a message, a reason to close the connection, or nothing yet. */
  advance(bytes: number): Message | CloseCode | undefined {
    this.filled += bytes
    if (this.filled < this.wanted) {
      if (this.room === sharedRoom) this.room = sharedRoom.slice(0, this.wanted)
      return undefined
    }
    const { room, wanted } = this
    this.filled = 0
    this.room = sharedRoom
    if (this.#inBody) return this.#message(room === sharedRoom ? room.slice(0, wanted) : room)
    this.#request = wordAt(room, 0)
    this.#flags = wordAt(room, 4)
    const size = wordAt(room, 8)
    const fault = this.#headerFault(size)
    if (fault) return fault
    if (size === 0) return this.#message(nothing)
    this.#inBody = true
    this.wanted = size
    return undefined
  }

  #message(payload: Uint8Array): Message {
    this.#inBody = false
    this.wanted = HEADER_SIZE
    return { request: this.#request, flags: this.#flags, payload, fds: this.takeFds() }
  }

  /** Returns the fds of a message that will never be complete. */
  takeFds(): number[] {
    const fds = this.#fds
    this.#fds = []
    return fds
  }

  #headerFault(size: number): CloseCode | undefined {
    if ((this.#flags & VERSION_MASK) !== VERSION) return 'msg_version'
    const isReply = (this.#flags & FLAG_REPLY) !== 0
    if (isReply !== this.#fromBackEnd || this.#flags & ~KNOWN_FLAGS) return 'msg_flags'
    return size > MAX_BODY ? 'msg_too_big' : undefined
  }
}
