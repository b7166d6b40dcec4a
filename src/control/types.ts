// The types of the session: its inputs, its effects and its state. All of them are plain data that structuredClone()
// can copy, so that a session can run in another thread.

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
  /** The result of the pending ask. A negative value means that it failed, for `reason`. */
  | { kind: 'result'; value: number; lost?: number[]; reason?: Refusal; detail?: string }
  /** Native code has latched a ring. With `mem_not_shared` the ring is not latched: it is only a diagnosis. */
  | { kind: 'ring-fault'; ring: number; reason: string }
  /** The guest's memory was taken away while rings used it; `detail` as in Draft.revoke(). */
  | { kind: 'memory-fault'; detail?: string }
  /** The connection has ended, or this side closes it. */
  | { kind: 'hang-up'; reason: string }
  /** The program has replaced the configuration space of its device. */
  | { kind: 'config'; bytes: Uint8Array }
  /** The channel back to the front end has failed. */
  | { kind: 'channel-lost'; reason: string }
  /** The time of the latest `deadline` effect is over. */
  | { kind: 'deadline' }

export type Effect =
  | Ask
  | { kind: 'reply'; bytes: Uint8Array }
  | { kind: 'close-fds'; fds: FdToken[] }
  | { kind: 'event'; event: SessionEvent }
  /** Sends a request without a payload, to which no reply is expected. It is dropped if there is no channel. */
  | { kind: 'tell-front-end'; request: number }
  /** Asks for a `deadline` input after `ms` milliseconds, and cancels an earlier one; 0 only cancels. */
  | { kind: 'deadline'; ms: number }
  | { kind: 'close'; code: string }

/** A ring's kick or call: an fd, an explicit "no fd", or nothing yet. */
export type Notifier = 'unset' | 'fd' | 'none'

export interface RingState {
  /** 0 = not set by the front end. */
  size: number
  base: number
  addresses: RingAddresses | null
  kick: Notifier
  call: Notifier
  /** null = not set by the front end; the ring is then enabled only without PROTOCOL_FEATURES. */
  enabled: boolean | null
  running: boolean
  /** The fault that stops the ring until the front end sets it up again; '' = none. */
  latched: string
}

/** A message (or a fault) that waits for the result of its first ask. */
export interface Pending {
  /** null if the input was not a message; there is then no reply. */
  message: Message | null
  stage: 'body' | 'reconcile'
  asks: Ask[]
  /** The reason for which the message will be refused; '' = it will not be refused. */
  refused: Refusal | ''
  /** A ring that the message should start could not start. */
  failed: boolean
  /** Payload of the message's own reply; null = it has none, and gets an acknowledgement if it asked for one. */
  reply: Uint8Array | null
}

/** The names of the kinds of devices (kinds/). */
export type KindName = 'net'

export interface State {
  kind: KindName
  offered: { features: bigint; protocolFeatures: bigint; queuePairs: number; maxMtu: number }
  features: bigint
  /** At least one SET_FEATURES was accepted. */
  negotiated: boolean
  protocolFeatures: bigint
  status: number
  regions: readonly MemoryRegion[]
  /** The memory was taken away. Even the same table must be mapped again. */
  revoked: boolean
  /**
   * Only the rings that a message has named: most devices have two of the 256 possible rings. Draft.ring() writes them.
   */
  rings: readonly Readonly<RingState>[]
  /** Features that the previous device of the driver used, until this device is ready; 0 = there was no device. */
  expected: bigint
  /** Bytes of the dirty log; 0 = there is none. */
  log: bigint
  /** The latest `migration` event said that a migration has begun. */
  migrating: boolean
  /** 0 = not set by the front end. */
  mtu: number
  /** The configuration space; null = the program has given none, and CONFIG is not offered. */
  config: Uint8Array | null
  ready: boolean
  /** A request has ended the time in which the device is ready; `stopped` is reported when the rings have stopped. */
  leaving: boolean
  /** The fault that no memory is shared was reported. */
  notSharedTold: boolean
  /** The warning about memory in files on a disk was reported. */
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
