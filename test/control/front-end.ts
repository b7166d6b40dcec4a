// A scripted front end for tests of the session: builds messages, plays native code, keeps what happened. Native
// code answers every ask with success unless told otherwise; rings stop at the base they were started with.
import { fdsOf } from '../../src/control/asks.js'
import {
  encodeMemoryTable,
  encodeU64,
  encodeVringAddresses,
  encodeVringState,
  FLAG_NEED_REPLY,
  HEADER_SIZE,
  NO_FD,
  VERSION,
} from '../../src/control/codec.js'
import type { MemoryRegion, SessionEvent } from '../../src/control/events.js'
import { virtioMask } from '../../src/control/features.js'
import type { SessionOptions } from '../../src/control/initial-state.js'
import { net } from '../../src/control/kinds/net.js'
import { initialState, isAsk, step } from '../../src/control/session.js'
import type { Ask, Effect, Input, Message, State } from '../../src/control/types.js'

export const region: MemoryRegion = {
  guest: 0x1000_0000n,
  size: 0x10_0000n,
  user: 0x7f00_0000_0000n,
  offset: 0n,
}
export const otherRegion: MemoryRegion = {
  guest: 0x2000_0000n,
  size: 0x10_0000n,
  user: 0x7e00_0000_0000n,
  offset: 0x1000n,
}

let nextFd = 1

export function words(...values: bigint[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(values).buffer)
}
export const regionPayload = (of: MemoryRegion): Uint8Array =>
  words(0n, of.guest, of.size, of.user, of.offset)

/** What a front end acks that does not migrate. */
export const usualFeatures = net.features & ~virtioMask('LOG_ALL')

/** What a step must not touch: any write to it throws. Bytes can't be frozen. */
export function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) {
    for (const part of Object.values(value)) frozen(part)
    Object.freeze(value)
  }
  return value
}

export interface SendOptions {
  needReply?: boolean
  fds?: number[]
  flags?: number
}

export interface Reply {
  request: number
  flags: number
  payload: Uint8Array
}

/** Answers to asks: undefined = success; `later` = the test gives it, as an input. */
export type Native = (
  ask: Ask,
) => { value: number; lost?: number[]; reason?: string; detail?: string } | 'later' | undefined

export class FrontEnd {
  state: State
  effects: Effect[] = []
  native: Native
  asks: Ask[] = []
  /** fds that the session has closed or handed to native code. */
  readonly disposed: number[] = []
  readonly given: number[] = []

  constructor(native: Native = () => undefined, options: SessionOptions = {}) {
    this.native = native
    this.state = initialState(options)
  }

  input(input: Input): Effect[] {
    this.effects = []
    this.asks = []
    let next: Input | undefined = input
    while (next) {
      const before: State = this.state
      // Everything must survive a way through structured clones, as between threads.
      const { state, effects } = step(frozen(structuredClone(before)), frozen(structuredClone(next)))
      this.state = state
      this.effects.push(...effects)
      next = undefined
      for (const [i, effect] of effects.entries()) {
        if (effect.kind === 'close-fds') this.disposed.push(...effect.fds)
        if (!isAsk(effect)) continue
        if (i !== effects.length - 1) throw new Error('an ask must be the last effect')
        this.asks.push(effect)
        this.disposed.push(...fdsOf(effect))
        const answer = this.native(effect) ?? this.#success(effect, before)
        if (answer !== 'later') next = { kind: 'result', ...answer }
      }
    }
    return this.effects
  }

  #success(ask: Ask, { rings }: State): { value: number } {
    if (ask.kind === 'look-at-memory') return { value: 1 }
    return { value: ask.kind === 'stop-ring' ? rings[ask.ring].base : 0 }
  }

  fds(count: number): number[] {
    const made = Array.from({ length: count }, () => nextFd++)
    this.given.push(...made)
    return made
  }

  message(request: number, payload: Uint8Array = new Uint8Array(), options: SendOptions = {}): Message {
    const flags = options.flags ?? VERSION | (options.needReply ? FLAG_NEED_REPLY : 0)
    return { request, flags, payload, fds: options.fds ?? [] }
  }

  send(request: number, payload?: Uint8Array, options?: SendOptions): Effect[] {
    return this.input({ kind: 'message', message: this.message(request, payload, options) })
  }

  // What the last input led to

  get replies(): Reply[] {
    return this.effects.flatMap(effect => {
      if (effect.kind !== 'reply') return []
      const view = new DataView(effect.bytes.buffer, effect.bytes.byteOffset)
      return [
        {
          request: view.getUint32(0, true),
          flags: view.getUint32(4, true),
          payload: effect.bytes.slice(HEADER_SIZE),
        },
      ]
    })
  }

  /** The number in an 8-byte reply; undefined without one. */
  get answer(): bigint | undefined {
    const [reply] = this.replies
    return reply && new DataView(reply.payload.buffer).getBigUint64(0, true)
  }

  get events(): SessionEvent[] {
    return this.effects.flatMap(effect => (effect.kind === 'event' ? [effect.event] : []))
  }

  get eventTypes(): string[] {
    return this.events.map(event =>
      'ring' in event && event.ring !== undefined ? `${event.type} ${event.ring}` : event.type,
    )
  }

  get closedWith(): string | undefined {
    return this.effects.flatMap(effect => (effect.kind === 'close' ? [effect.code] : []))[0]
  }

  get running(): number[] {
    return this.state.rings.flatMap((ring, i) => (ring.running ? [i] : []))
  }

  // Requests

  getFeatures = (options?: SendOptions) => this.send(1, undefined, options)
  setFeatures = (features = usualFeatures, options?: SendOptions) =>
    this.send(2, encodeU64(features), options)
  setOwner = () => this.send(3)
  resetOwner = (options?: SendOptions) => this.send(4, undefined, options)
  setMemory = (regions: MemoryRegion[] = [region], options: SendOptions = {}) =>
    this.send(5, encodeMemoryTable(regions), { fds: this.fds(regions.length), ...options })
  num = (index: number, value: number, options?: SendOptions) =>
    this.send(8, encodeVringState({ index, value }), options)
  base = (index: number, value: number, options?: SendOptions) =>
    this.send(10, encodeVringState({ index, value }), options)
  getBase = (index: number, options?: SendOptions) =>
    this.send(11, encodeVringState({ index, value: 0 }), options)
  kick = (index: number, options: SendOptions = {}) =>
    this.send(12, encodeU64(BigInt(index)), { fds: this.fds(1), ...options })
  kickWithoutFd = (index: number) => this.send(12, encodeU64(BigInt(index | NO_FD)))
  call = (index: number, options: SendOptions = {}) =>
    this.send(13, encodeU64(BigInt(index)), { fds: this.fds(1), ...options })
  err = (index: number, options: SendOptions = {}) =>
    this.send(14, encodeU64(BigInt(index)), { fds: this.fds(1), ...options })
  getProtocolFeatures = () => this.send(15)
  setProtocolFeatures = (features: bigint, options?: SendOptions) =>
    this.send(16, encodeU64(features), options)
  enable = (index: number, value: number, options?: SendOptions) =>
    this.send(18, encodeVringState({ index, value }), options)
  setStatus = (value: number, options?: SendOptions) => this.send(39, encodeU64(BigInt(value)), options)
  getStatus = (options?: SendOptions) => this.send(40, undefined, options)
  addRegion = (of: MemoryRegion, options: SendOptions = {}) =>
    this.send(37, regionPayload(of), { fds: this.fds(1), ...options })
  removeRegion = (of: MemoryRegion, options: SendOptions = {}) => this.send(38, regionPayload(of), options)
  setLogBase = (size: bigint, offset = 0n, options: SendOptions = {}) =>
    this.send(6, words(size, offset), { fds: this.fds(1), ...options })
  setMtu = (mtu: bigint, options?: SendOptions) => this.send(20, encodeU64(mtu), options)

  /** Ring addresses that fit `region`, for sizes up to 1024. */
  addr(
    index: number,
    change: Partial<Record<'descriptors' | 'used' | 'available' | 'log', bigint>> & { flags?: number } = {},
    options?: SendOptions,
  ) {
    const at = region.user + BigInt(index) * 0x1_0000n
    const addresses = {
      flags: 0,
      descriptors: at,
      available: at + 0x4000n,
      used: at + 0x6000n,
      log: 0n,
      ...change,
    }
    return this.send(9, encodeVringAddresses(index, addresses), options)
  }

  /** NUM, BASE, ADDR, KICK, CALL as QEMU sends them. */
  setUpRing(index: number, size = 256, base = 0): void {
    this.num(index, size)
    this.base(index, base)
    this.addr(index)
    this.kick(index)
    this.call(index)
  }

  negotiate(protocolFeatures = 0x10008n): void {
    this.getFeatures()
    this.getProtocolFeatures()
    this.setProtocolFeatures(protocolFeatures)
    this.setOwner()
    this.setFeatures()
  }

  /** A front end whose two rings run. */
  static running(native?: Native, protocolFeatures = 0x8n, options?: SessionOptions): FrontEnd {
    const frontEnd = new FrontEnd(native, options)
    frontEnd.negotiate(protocolFeatures)
    frontEnd.setMemory()
    for (const ring of [0, 1]) {
      frontEnd.setUpRing(ring)
      frontEnd.enable(ring, 1)
    }
    return frontEnd
  }
}
