// The session's vocabulary: what goes in, what comes out, and what it remembers. Everything is plain data that
// structuredClone() takes, so that a session can run in a thread of its own.

import type { Ask, FdToken } from './asks.js'
import type { RingAddresses } from './codec.js'
import type { MemoryRegion, SessionEvent } from './events.js'
import type { Refusal } from './refusals.js'

export type { Ask, FdToken } from './asks.js'

export interface Message {
  request: number
  flags: number
  payload: Uint8Array
  fds: FdToken[]
}

export type Input =
  | { kind: 'message'; message: Message }
  /** Of the one pending ask. Negative = failed; `reason` is then the word for it. */
  | { kind: 'result'; value: number; lost?: number[]; reason?: Refusal; detail?: string }
  /** Native code has latched a ring; `mem_not_shared` is a diagnosis only, the ring goes on. */
  | { kind: 'ring-fault'; ring: number; reason: string }
  /** The guest's memory was taken away under us; `detail` as in Draft.revoke(). */
  | { kind: 'memory-fault'; detail?: string }
  /** The connection is gone, or closed by us. */
  | { kind: 'hang-up'; reason: string }
  /** The program has given its device another configuration space. */
  | { kind: 'config'; bytes: Uint8Array }
  /** The channel back to the front end is of no use any more. */
  | { kind: 'channel-lost'; reason: string }
  /** The time of the last `deadline` effect has passed. */
  | { kind: 'deadline' }

export type Effect =
  | Ask
  | { kind: 'reply'; bytes: Uint8Array }
  | { kind: 'close-fds'; fds: FdToken[] }
  | { kind: 'event'; event: SessionEvent }
  /** A request of ours, without a payload, to which no answer is awaited. Dropped if there is no channel. */
  | { kind: 'tell-front-end'; request: number }
  /** Wants a `deadline` input after so long, instead of any wanted before; 0 = none any more. */
  | { kind: 'deadline'; ms: number }
  | { kind: 'close'; code: string }

/** What a ring was given: an fd, an explicit "no fd", or nothing yet. */
export type Notifier = 'unset' | 'fd' | 'none'

export interface RingState {
  /** 0 = not set by the front end. */
  size: number
  base: number
  addresses: RingAddresses | null
  kick: Notifier
  call: Notifier
  /** null = not set by the front end: enabled if PROTOCOL_FEATURES was not negotiated. */
  enabled: boolean | null
  running: boolean
  /** The fault that keeps it from running until it is set up anew; '' = none. */
  latched: string
}

/** A message (or a fault) that waits for the result of its first ask. */
export interface Pending {
  /** null for an input that was no message: nothing is answered. */
  message: Message | null
  stage: 'body' | 'reconcile'
  asks: Ask[]
  /** Why the message will be refused; '' = it won't. */
  refused: Refusal | ''
  /** A ring that should run on its account could not start. */
  failed: boolean
  /** Payload of its own reply; null = an ack, if one is wanted. */
  reply: Uint8Array | null
}

/** The kinds of devices that there are (kinds/). */
export type KindName = 'net'

export interface State {
  kind: KindName
  offered: { features: bigint; protocolFeatures: bigint; queuePairs: number; maxMtu: number }
  features: bigint
  /** SET_FEATURES was accepted once. */
  negotiated: boolean
  protocolFeatures: bigint
  status: number
  regions: readonly MemoryRegion[]
  /** The mapping is of no use any more: even the same table must be mapped anew. */
  revoked: boolean
  /** As far as they were named: most devices have two of the 256 that they may have. Written by way of Draft.ring(). */
  rings: readonly Readonly<RingState>[]
  /** Features that the device before this one had in use, until this one is ready; 0 = there was none. */
  expected: bigint
  /** Bytes of the dirty log; 0 = there is none. */
  log: bigint
  /** `migration` was told to have begun, and not yet to be over. */
  migrating: boolean
  /** 0 = not set by the front end. */
  mtu: number
  /** The configuration space; null = the program gives none, and CONFIG is not offered. */
  config: Uint8Array | null
  ready: boolean
  /** A request has ended what `ready` began; told when its rings have stopped. */
  leaving: boolean
  /** "Shares no memory" was told. */
  notSharedTold: boolean
  /** The warning about memory in files on a disk was told. */
  onDiskTold: boolean
  pending: Pending | null
  /** Inputs that came while one was pending. */
  backlog: readonly Input[]
  closed: boolean
}

export const newRing = (): RingState => ({
  size: 0,
  base: 0,
  addresses: null,
  kick: 'unset',
  call: 'unset',
  enabled: null,
  running: false,
  latched: '',
})
