// A Unix socket as a stream of whole messages with their fds. It never blocks, and waits for a peer no longer than its
// deadlines. A peer gets only a share of each turn: the socket is watched level-triggered, so that unread bytes are
// read in the next turn. The socket does not keep the process alive.

import { FDS_EXHAUSTED, FDS_TRUNCATED, native } from '../addon/native.js'
import { PEER_GONE, type Watch, type WatchMode, watch } from '../addon/wakeup.js'
import { debugFor } from '../debug.js'
import { type CloseCode, MAX_FDS, type Message, MessageReader } from './framing.js'
import { type PeerCredentials, peerOf } from './peer.js'
import { MAX_BACKLOG, WriteQueue } from './replies.js'
import { Deadline, systemTimers, type Timers } from './timers.js'

export type { CloseCode, Message } from './framing.js'

export interface ConnectionHandlers {
  /** The handler owns `message.fds`: each is consumed by native code or closed. */
  message(message: Message): void
  /** Called once, as the last call, when the socket is closed; but not after close(). */
  close(code: CloseCode): void
}

export interface ConnectionOptions {
  /** True if this end is the front end, so that incoming messages are replies. */
  fromBackEnd?: boolean
  timers?: Timers
}

const DEADLINE_MS = 5000
const MESSAGES_PER_TURN = 16
/**
 * More reads than a message in pieces needs, and few enough that a peer that sends single bytes does not delay a turn.
 */
const READS_PER_TURN = 64
/** The kernel's limit of fds per message. There is room for all of them, so that surplus fds can be closed. */
const MAX_RECEIVED_FDS = 253
const EAGAIN = -11

const debug = debugFor('transport')
const fdRoom = new Uint32Array(1 + MAX_RECEIVED_FDS)

export class Connection {
  readonly #token: number
  readonly #reader: MessageReader
  readonly #writes: WriteQueue
  readonly #readDeadline: Deadline
  readonly #timers: Timers
  /** Most front ends read their replies at once, so most connections need no queue. */
  #writeDeadline: Deadline | undefined
  #handlers: ConnectionHandlers | undefined
  #watch: Watch | undefined
  #peer: PeerCredentials | undefined
  #paused = false
  #closed = false

  /** Takes over the socket behind `token`. */
  constructor(token: number, options: ConnectionOptions = {}) {
    this.#timers = options.timers ?? systemTimers
    this.#token = token
    this.#reader = new MessageReader(options.fromBackEnd ?? false)
    this.#writes = new WriteQueue(token)
    this.#readDeadline = new Deadline(this.#timers, DEADLINE_MS, () => this.#end('msg_timeout'))
  }

  get closed(): boolean {
    return this.#closed
  }

  /** The process that connected; undefined if the kernel gives no credentials. */
  get peer(): PeerCredentials | undefined {
    if (this.#closed) return undefined
    this.#peer ??= peerOf(this.#token)
    return this.#peer
  }

  /** Starts to pass on messages, from a later turn on. */
  start(handlers: ConnectionHandlers): void {
    if (this.#closed || this.#handlers) return
    this.#handlers = handlers
    this.#watch = watch(this.#token, 'read', events =>
      this.#paused && events & PEER_GONE ? this.#end('hang_up') : this.#onReady(),
    )
    this.#update()
  }

  /**
   * Sends the bytes, with `fds` on the first of them: at once, or as soon as the peer reads. The fds stay the
   * caller's and open until then. A failure closes the connection in a later microtask, never from within this call.
   */
  send(bytes: Uint8Array, fds: readonly number[] = []): void {
    if (this.#closed) return
    this.#sent(this.#writes.send(bytes, fds))
  }

  /** Passes on no message until `resume()`. If the peer has gone, the connection ends now. */
  pause(): void {
    this.#paused = true
    // The peer can't finish its message while this side does not read.
    this.#readDeadline.stop()
    // The socket stays watched until a byte arrives. That is rare, since a front end that waits for a reply sends
    // nothing.
  }

  resume(): void {
    this.#paused = false
    if (this.#reader.underWay) this.#readDeadline.start()
    this.#update()
  }

  /** Closes the socket now, without a call of `handlers.close`. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#readDeadline.stop()
    this.#writeDeadline?.stop()
    this.#watch?.close()
    for (const fd of this.#reader.takeFds()) native().closeFd(fd)
    native().closeFd(this.#token)
  }

  #end(code: CloseCode): void {
    if (this.#closed) return
    debug('closed: %s', code)
    this.close()
    this.#handlers?.close(code)
  }

  #onReady(): void {
    this.#flush()
    if (this.#paused) this.#update()
    let messages = 0
    for (let reads = 0; reads < READS_PER_TURN && messages < MESSAGES_PER_TURN; reads++) {
      if (this.#closed || this.#paused) return
      const outcome = this.#read()
      if (outcome === 'empty') break
      if (outcome === undefined) continue
      if (typeof outcome === 'string') {
        this.#end(outcome)
        return
      }
      messages++
      // The deadline begins with the first byte of a message.
      this.#readDeadline.stop()
      this.#handlers?.message(outcome)
    }
    if (!this.#closed && !this.#paused && this.#reader.underWay && !this.#readDeadline.waiting)
      this.#readDeadline.start()
  }

  #read(): Message | CloseCode | 'empty' | undefined {
    const reader = this.#reader
    const { room, filled, wanted } = reader
    const bytes = native().socketReceive(this.#token, room, filled, wanted - filled, fdRoom)
    if (bytes === EAGAIN) return 'empty'
    const fdFault = bytes < 0 ? undefined : this.#takeFds()
    if (fdFault) return fdFault
    if (bytes <= 0) return bytes === 0 && reader.underWay ? 'msg_eof' : 'hang_up'
    return reader.advance(bytes)
  }

  #takeFds(): CloseCode | undefined {
    const count = fdRoom[0]
    if (count === 0) return undefined
    if (count === FDS_TRUNCATED) return 'msg_ctrunc'
    // If only some of the fds arrived, the rest of the message can't be trusted.
    if (count === FDS_EXHAUSTED) return 'fd_exhausted'
    // fds belong to the bytes of a header. fds that come with a payload are closed.
    const { inBody } = this.#reader
    for (let i = 1; i <= count; i++) {
      if (inBody) native().closeFd(fdRoom[i])
      else this.#reader.addFd(fdRoom[i])
    }
    return this.#reader.fdCount > MAX_FDS ? 'msg_fds' : undefined
  }

  #flush(): void {
    if (this.#writes.size > 0) this.#sent(this.#writes.flush())
  }

  #sent(taken: number): void {
    if (taken < 0) queueMicrotask(() => this.#end('hang_up'))
    else if (this.#writes.size > MAX_BACKLOG) queueMicrotask(() => this.#end('reply_backlog'))
    else if (this.#writes.size === 0) this.#writeDeadline?.stop()
    // The deadline begins with the last byte that the peer read.
    else if (taken > 0 || !this.#writeDeadline?.waiting) {
      this.#writeDeadline ??= new Deadline(this.#timers, DEADLINE_MS, () => this.#end('reply_backlog'))
      this.#writeDeadline.start()
    }
    this.#update()
  }

  #update(): void {
    if (this.#watch && !this.#closed) this.#watch.mode = this.#wantedMode()
  }

  // The socket stays watched for something at all times, because to watch it again later could fail.
  #wantedMode(): WatchMode {
    const writing = this.#writes.size > 0
    if (this.#paused) return writing ? 'write' : 'hang-up'
    return writing ? 'read-write' : 'read'
  }
}
