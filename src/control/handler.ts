// What a row of the table of requests (requests.ts) consists of. Handlers lie in the files of their subject.
import type { Draft } from './draft.js'
import type { Refusal } from './refusals.js'
import type { Ask, Message, State } from './types.js'

export interface Handler {
  /** Checks, changing nothing: the asks to make, or the reason for a refusal. */
  begin?(state: State, message: Message): Ask[] | Refusal
  /** Changes the state, after all asks have succeeded; returns the payload of the request's own reply, if it has one. */
  // biome-ignore lint/suspicious/noConfusingVoidType: most requests have no reply of their own
  finish?(draft: Draft, message: Message): Uint8Array | void
  /** Says more about a refusal than its reason. */
  refuse?(draft: Draft, message: Message): void
  /** The request has taken effect even if a ring can't run because of it. */
  mayCostRings?: boolean
}

/** A payload as people read it, for the trace. */
export interface Decoder {
  /** Bytes that `decode` needs at least; a shorter payload is told by its length. */
  bytes: number
  decode(payload: Uint8Array): Record<string, unknown>
}

/** How a request and its own reply are told in the trace; without, a payload is told by its length. */
export interface Decoders {
  request?: Decoder
  reply?: Decoder
}

export interface Request extends Decoders {
  id: number
  name: string
  /** Payload, in bytes: at least and at most. */
  size: readonly [number, number]
  /** fds: at least and at most. */
  fds: readonly [number, number]
  handler: Handler
}

export const row = (
  id: number,
  name: string,
  size: Request['size'],
  fds: Request['fds'],
  handler: Handler,
  decoders: Decoders = {},
): Request => ({ id, name, size, fds, handler, ...decoders })

/** Sizes of payloads and numbers of fds that several rows have. */
export const NONE = [0, 0] as const
export const WORD = [8, 8] as const
export const NO_FDS = [0, 0] as const
export const ONE = [1, 1] as const
export const MAYBE_ONE = [0, 1] as const
