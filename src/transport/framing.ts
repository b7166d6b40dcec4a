// Bytes of a stream → messages, however the stream is cut. A reader is asked for the room where the next bytes go:
// first exactly a header, then exactly its body, so that one read never spans two messages and the fds that come
// with a header's bytes belong to that message beyond doubt. Knows no socket and no request.
// (vhost-user "Header": request, flags, size.)

export const HEADER_SIZE = 12
/** Every request we know is smaller by far; nothing is allocated for one that claims more. */
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
  /** Tokens of the fds that came with it; whoever gets the message owns them. */
  fds: number[]
}

/** Why a connection ends. `hang_up` is the ordinary way. */
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

export class MessageReader {
  /** Where the next bytes go, from `filled` on. */
  room: Uint8Array
  filled = 0
  readonly #header = new Uint8Array(HEADER_SIZE)
  readonly #fromBackEnd: boolean
  #inBody = false
  #request = 0
  #flags = 0
  #fds: number[] = []

  /** `fromBackEnd`: messages are replies, as a front end reads them. */
  constructor(fromBackEnd: boolean) {
    this.#fromBackEnd = fromBackEnd
    this.room = this.#header
  }

  /** Some bytes of a message are here, and others are not. */
  get underWay(): boolean {
    return this.#inBody || this.filled > 0
  }

  get inBody(): boolean {
    return this.#inBody
  }

  get fdCount(): number {
    return this.#fds.length
  }

  /** fds that came with header bytes. */
  addFds(fds: readonly number[]): void {
    this.#fds.push(...fds)
  }

  /** Takes note of `bytes` more in `room`: a message, a reason to close, or nothing yet. */
  advance(bytes: number): Message | CloseCode | undefined {
    this.filled += bytes
    if (this.filled < this.room.length) return undefined
    if (!this.#inBody) {
      const view = new DataView(this.#header.buffer)
      this.#request = view.getUint32(0, true)
      this.#flags = view.getUint32(4, true)
      const fault = this.#headerFault(view.getUint32(8, true))
      if (fault) return fault
      this.#inBody = true
      this.filled = 0
      this.room = new Uint8Array(view.getUint32(8, true))
      if (this.room.length > 0) return undefined
    }
    const message = { request: this.#request, flags: this.#flags, payload: this.room, fds: this.takeFds() }
    this.#inBody = false
    this.filled = 0
    this.room = this.#header
    return message
  }

  /** fds of a message that will never be whole. */
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
