// A control message as people read it: decoded, as plain data that JSON takes, with its bytes beside it so that it can be
// replayed. Pure. Messages that no handler of ours serves are decoded as far as their shape is known.
import {
  decodeRegions,
  decodeU64,
  decodeVringAddresses,
  decodeVringState,
  FLAG_NEED_REPLY,
  NO_FD,
  REGION_SIZE,
  TABLE_HEADER_SIZE,
} from './codec.js'
import type { MemoryRegion } from './events.js'
import { featureNames, protocolFeatureNames } from './feature-names.js'
import { requestName } from './requests.js'

/** From the front end, or to it. */
export type Way = 'in' | 'out'

export interface TracedMessage {
  /** `in` from the front end, `out` to it. */
  way: Way
  /** `SET_VRING_NUM`, or `request 99`. */
  request: string
  /** The request's number. */
  id: number
  /** The front end asked for an acknowledgement. */
  needReply: boolean
  /** How many came with it. */
  fds: number
  /** The payload's bytes in hexadecimal. */
  payload: string
  /** The same, decoded: names, numbers, and addresses as `0x…`. */
  data: Record<string, unknown>
}

type Decode = (payload: Uint8Array) => Record<string, unknown>

const hex = (value: bigint): string => `0x${value.toString(16)}`
const word: Decode = payload => ({ value: hex(decodeU64(payload)) })
const number: Decode = payload => ({ value: Number(decodeU64(payload)) })
const features: Decode = payload => ({ features: featureNames(decodeU64(payload)) })
const protocolFeatures: Decode = payload => ({ features: protocolFeatureNames(decodeU64(payload)) })
const nothing: Decode = () => ({})

const state: Decode = payload => {
  const { index, value } = decodeVringState(payload)
  return { ring: index, value }
}

const notifier: Decode = payload => {
  const value = decodeU64(payload)
  return { ring: Number(value & 0xffn), fd: (value & BigInt(NO_FD)) === 0n }
}

const addresses: Decode = payload => {
  const { index, addresses } = decodeVringAddresses(payload)
  const { flags, descriptors, used, available, log } = addresses
  return {
    ...{ ring: index, flags, descriptors: hex(descriptors) },
    ...{ used: hex(used), available: hex(available), log: hex(log) },
  }
}

const regionOf = ({ guest, size, user, offset }: MemoryRegion): Record<string, string> => ({
  ...{ guest: hex(guest), size: hex(size) },
  ...{ user: hex(user), offset: hex(offset) },
})
const regions: Decode = payload => ({ regions: decodeRegions(payload).map(regionOf) })
const log: Decode = payload => ({
  size: hex(decodeU64(payload.subarray(0, 8))),
  offset: hex(decodeU64(payload.subarray(8))),
})
const mac: Decode = payload => ({
  mac: [...payload.subarray(0, 6)].map(byte => byte.toString(16).padStart(2, '0')).join(':'),
})

interface Shape {
  /** Bytes that the decoder needs at least. */
  bytes: number
  decode: Decode
}

const shape = (bytes: number, decode: Decode): Shape => ({ bytes, decode })
const REGION = TABLE_HEADER_SIZE + REGION_SIZE

/** What a front end sends, by request id. */
const requests: Record<number, Shape> = {
  2: shape(8, features),
  5: shape(TABLE_HEADER_SIZE, regions),
  6: shape(16, log),
  8: shape(8, state),
  9: shape(40, addresses),
  10: shape(8, state),
  11: shape(8, state),
  12: shape(8, notifier),
  13: shape(8, notifier),
  14: shape(8, notifier),
  16: shape(8, protocolFeatures),
  18: shape(8, state),
  19: shape(8, mac),
  20: shape(8, number),
  37: shape(REGION, regions),
  38: shape(REGION, regions),
  39: shape(8, word),
}

/** Replies that are not an acknowledgement. */
const replies: Record<number, Shape> = {
  1: shape(8, features),
  11: shape(8, state),
  15: shape(8, protocolFeatures),
  17: shape(8, number),
  36: shape(8, number),
  40: shape(8, word),
}
const acknowledgement = shape(8, payload => ({ accepted: decodeU64(payload) === 0n }))

function decodeWith({ bytes, decode }: Shape, payload: Uint8Array): Record<string, unknown> {
  return payload.length >= bytes ? decode(payload) : { bytes: payload.length }
}

export function traced(
  way: Way,
  { request: id, flags, payload, fds }: { request: number; flags: number; payload: Uint8Array; fds: number },
): TracedMessage {
  const known = way === 'in' ? requests[id] : (replies[id] ?? acknowledgement)
  const data = decodeWith(
    known ?? shape(0, payload.length === 0 ? nothing : () => ({ bytes: payload.length })),
    payload,
  )
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
