// A control message for people to read: decoded, as plain data that JSON accepts, together with its bytes, so that it
// can be replayed.
import { FLAG_NEED_REPLY } from './codec.js'
import { acknowledgement } from './decoders.js'
import type { Decoder } from './handler.js'
import { requestName, requestOf } from './requests.js'

/** From the front end, or to it. */
export type Way = 'in' | 'out'

export interface TracedMessage {
  /** `in` from the front end, `out` to it. */
  way: Way
  /** `SET_VRING_NUM`, or `request 99`. */
  request: string
  /** The request's number. */
  id: number
  /** True if the front end asked for an acknowledgement. */
  needReply: boolean
  /** The number of file descriptors that came with the message. */
  fds: number
  /** The payload's bytes in hexadecimal. */
  payload: string
  /** The decoded payload: names, numbers, and addresses as `0x…`. */
  data: Record<string, unknown>
}

function decodeWith(decoder: Decoder | undefined, payload: Uint8Array): Record<string, unknown> {
  if (decoder !== undefined && payload.length >= decoder.bytes) return decoder.decode(payload)
  return payload.length === 0 && decoder === undefined ? {} : { bytes: payload.length }
}

export function traced(
  way: Way,
  { request: id, flags, payload, fds }: { request: number; flags: number; payload: Uint8Array; fds: number },
): TracedMessage {
  const known = requestOf(id)
  const data = decodeWith(way === 'in' ? known?.request : (known?.reply ?? acknowledgement), payload)
  return {
    way,
    request: requestName(id),
    id,
    needReply: (flags & FLAG_NEED_REPLY) !== 0,
    fds,
    payload: Array.from(payload, byte => byte.toString(16).padStart(2, '0')).join(''),
    data,
  }
}

/** `← SET_VRING_NUM ring 1, value 256 (wants a reply)`. */
export function traceText({ way, request, needReply, fds, data }: TracedMessage): string {
  const parts = Object.entries(data).map(([name, value]) => `${name} ${textOf(value)}`)
  if (fds > 0) parts.push(`${fds} fd${fds > 1 ? 's' : ''}`)
  return `${way === 'in' ? '←' : '→'} ${request} ${parts.join(', ')}${needReply ? ' (wants a reply)' : ''}`.trimEnd()
}

const textOf = (value: unknown): string =>
  Array.isArray(value)
    ? `[${value.map(textOf).join(' ')}]`
    : typeof value === 'object' && value !== null
      ? Object.values(value).join('+')
      : String(value)
