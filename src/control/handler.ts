// The types of a row in the table of requests (requests.ts). The handlers are in the files of their subjects.
import type { Draft } from './draft.js'
import type { Refusal } from './refusals.js'
import type { Ask, Message, State } from './types.js'

export interface Handler {
  /** Checks the request without changing the state; returns the asks to make, or the reason for a refusal. */
  begin?(state: State, message: Message): Ask[] | Refusal
  /** Changes the state, after all asks have succeeded; returns the payload of the request's own reply, if it has one. */
  // biome-ignore lint/suspicious/noConfusingVoidType: most requests have no reply of their own
  finish?(draft: Draft, message: Message): Uint8Array | void
  /** Reports more about a refusal than its reason. */
  refuse?(draft: Draft, message: Message): void
  /** The request has taken effect even if a ring can't run because of it. */
  mayCostRings?: boolean
}

/** A payload as people read it, for the trace. */
export interface Decoder {
  /** The fewest bytes that `decode` needs; the trace shows only the length of a shorter payload. */
  bytes: number
  decode(payload: Uint8Array): Record<string, unknown>
}

/** How the trace shows a request and its own reply; without a decoder it shows the payload's length. */
export interface Decoders {
  request?: Decoder
  reply?: Decoder
}

export interface Request extends Decoders {
  id: number
  name: string
  /** Payload in bytes: minimum and maximum. */
  size: readonly [number, number]
  /** Number of fds: minimum and maximum. */
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
