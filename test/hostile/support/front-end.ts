// A front end that keeps to no rule: arbitrary bytes and fds on a real socket, and, where a case needs one to begin
// with, the orderly way to a running device. Replies are read by polling, so that it does nothing behind a test's back.
import { native } from '../../../src/addon/native.js'
import { until } from './conditions.js'
import { HostileMemory, PAGE } from './memory.js'
import { HostileRing, ringBytes } from './ring.js'
import {
  address,
  FEATURE_BITS,
  HEADER_BYTES,
  memoryTable,
  message,
  NEED_REPLY,
  nothing,
  PROTOCOL_ACK,
  REQUEST,
  type Region,
  readU64,
  state,
  u64,
} from './wire.js'

const EAGAIN = -11

export interface FrontEndOptions {
  /** Of each ring. */
  size?: number
  /** Queue pairs, a power of two. */
  pairs?: number
  /** Bytes of memory beside the rings. */
  spare?: number
  features?: bigint
  /** Bytes shared. */
  memory?: number
  /** Shares this file, which is made, and not a memfd. */
  file?: string
  /** Instead of one region with all of the memory. */
  regions?: (memory: HostileMemory) => Region[]
}

export interface Reply {
  request: number
  flags: number
  payload: Uint8Array
}

export class HostileFrontEnd {
  readonly memory: HostileMemory
  readonly rings: readonly [HostileRing, HostileRing, ...HostileRing[]]
  readonly features: bigint
  readonly regions: Region[]
  /** Offset of the first byte that belongs to no ring. */
  readonly buffers: number
  /** The connection's own token, which may be passed where it does not belong. */
  readonly socket: number
  readonly #inbox = new Uint8Array(1 << 16)
  readonly #fds = new Uint32Array(254)
  #filled = 0
  #over = false
  #disposed = false

  constructor(
    path: string,
    {
      size = 16,
      pairs = 1,
      spare = 32 * PAGE,
      features = FEATURE_BITS.usual,
      memory,
      file,
      regions,
    }: FrontEndOptions = {},
  ) {
    const rings = 2 * pairs
    this.buffers = Math.ceil((rings * ringBytes(size)) / PAGE) * PAGE
    this.memory = new HostileMemory(memory ?? this.buffers + spare, file)
    this.features = features
    this.regions = regions?.(this.memory) ?? [this.memory.region()]
    this.rings = Array.from(
      { length: rings },
      (_, index) => new HostileRing(this.memory, index, size, index * (this.buffers / rings)),
    ) as unknown as [HostileRing, HostileRing]
    this.socket = native().socketConnect(path)
    if (this.socket < 0) throw new Error(`no connection to ${path}: ${this.socket}`)
  }

  /** Closes the socket and nothing else: what a `kill -9` looks like from the other side. */
  hangUp(): void {
    native().closeFd(this.socket)
    this.#over = true
  }

  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    this.hangUp()
    this.memory.close()
    for (const ring of this.rings) ring.close()
  }

  /** Bytes as they are, with fds on the first of them; what the socket did not take is an error. */
  raw(bytes: Uint8Array, fds: readonly number[] = []): void {
    const sent = this.trySend(bytes, fds)
    if (sent !== bytes.length) throw new Error(`the socket took ${sent} of ${bytes.length} bytes`)
  }

  /** Bytes taken, 0 if the socket is full; a negative errno if it is gone. */
  trySend(bytes: Uint8Array, fds: readonly number[] = []): number {
    const sent = native().socketSend(this.socket, bytes, 0, bytes.length, Uint32Array.from(fds))
    return sent === EAGAIN ? 0 : sent
  }

  send(request: number, payload: Uint8Array = nothing, fds: readonly number[] = [], flags = 0): void {
    this.raw(message(request, flags, payload), fds)
  }

  /** The next reply; undefined when the connection ends instead. */
  async reply(): Promise<Reply | undefined> {
    const outcome = await until('a reply', () => this.tryReply() ?? (this.#over ? null : undefined))
    return outcome ?? undefined
  }

  /** A request with an answer of its own. */
  async ask(request: number, payload: Uint8Array = nothing): Promise<Uint8Array> {
    this.send(request, payload)
    const reply = await this.reply()
    if (!reply) throw new Error(`the connection ended before request ${request} was answered`)
    if (reply.request !== request)
      throw new Error(`request ${request} was answered as request ${reply.request}`)
    return reply.payload
  }

  /** Sent with NEED_REPLY: 0 = done, 1 = refused, undefined = the connection ended. */
  async order(
    request: number,
    payload: Uint8Array = nothing,
    fds: readonly number[] = [],
  ): Promise<number | undefined> {
    this.send(request, payload, fds, NEED_REPLY)
    const reply = await this.reply()
    return reply && Number(readU64(reply.payload))
  }

  /** What was sent so far has been served once this resolves. */
  async barrier(): Promise<void> {
    await this.ask(REQUEST.GET_FEATURES)
  }

  /** Resolves when the back end has hung up. */
  async closed(): Promise<void> {
    while (await this.reply());
  }

  tryReply(): Reply | undefined {
    if (!this.#over) {
      const room = this.#inbox.length - this.#filled
      const got = native().socketReceive(this.socket, this.#inbox, this.#filled, room, this.#fds)
      if (got > 0) this.#filled += got
      else if (got !== EAGAIN) this.#over = true
    }
    if (this.#filled < HEADER_BYTES) return undefined
    const view = new DataView(this.#inbox.buffer)
    const length = HEADER_BYTES + view.getUint32(8, true)
    if (this.#filled < length) return undefined
    const reply = {
      request: view.getUint32(0, true),
      flags: view.getUint32(4, true),
      payload: this.#inbox.slice(HEADER_BYTES, length),
    }
    this.#inbox.copyWithin(0, length, this.#filled)
    this.#filled -= length
    return reply
  }

  // The orderly way

  negotiate(protocol = PROTOCOL_ACK): void {
    this.send(REQUEST.SET_OWNER)
    this.send(REQUEST.SET_PROTOCOL_FEATURES, u64(protocol))
    this.send(REQUEST.SET_FEATURES, u64(this.features))
  }

  table(regions: Region[] = this.regions): [number, Uint8Array, number[]] {
    return [REQUEST.SET_MEM_TABLE, memoryTable(regions), regions.map(() => this.memory.token)]
  }

  shareMemory(): void {
    this.send(...this.table())
  }

  setUp(index: number, base = 0): void {
    const ring = this.rings[index]
    this.send(REQUEST.SET_VRING_NUM, state(index, ring.size))
    this.send(REQUEST.SET_VRING_BASE, state(index, base))
    this.send(REQUEST.SET_VRING_ADDR, address(index, ring.addresses))
    this.send(REQUEST.SET_VRING_ERR, u64(BigInt(index)), [ring.errorFd])
    this.send(REQUEST.SET_VRING_KICK, u64(BigInt(index)), [ring.kickFd])
    this.send(REQUEST.SET_VRING_CALL, u64(BigInt(index)), [ring.callFd])
    this.send(REQUEST.SET_VRING_ENABLE, state(index, 1))
  }

  /** Stops a ring and begins it anew, empty, as a driver that was reloaded. */
  async renew(index: number): Promise<void> {
    await this.ask(REQUEST.GET_VRING_BASE, state(index, 0))
    this.rings[index].clear()
    this.setUp(index)
    await this.barrier()
  }

  async run(protocol?: bigint): Promise<this> {
    this.negotiate(protocol)
    this.shareMemory()
    for (const { index } of this.rings) this.setUp(index)
    await this.barrier()
    return this
  }
}
