// Decodes payloads into plain data that JSON accepts, for the trace. Each row of the table of requests names its
// decoders.
import {
  CONFIG_HEADER_SIZE,
  decodeConfig,
  decodeLog,
  decodeRegions,
  decodeU64,
  decodeVringAddresses,
  decodeVringState,
  NO_FD,
  REGION_SIZE,
  TABLE_HEADER_SIZE,
} from './codec.js'
import type { MemoryRegion } from './events.js'
import { featureNames, protocolFeatureNames } from './feature-names.js'
import type { Decoder } from './handler.js'

const hex = (value: bigint): string => `0x${value.toString(16)}`
const hexBytes = (bytes: Uint8Array): string =>
  Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')

const ofWord = (tell: (value: bigint) => Record<string, unknown>): Decoder => ({
  bytes: 8,
  decode: payload => tell(decodeU64(payload)),
})

export const word = ofWord(value => ({ value: hex(value) }))
export const number = ofWord(value => ({ value: Number(value) }))
export const features = ofWord(value => ({ features: featureNames(value) }))
export const protocolFeatures = ofWord(value => ({ features: protocolFeatureNames(value) }))
/** REPLY_ACK: 0 is success. */
export const acknowledgement = ofWord(value => ({ accepted: value === 0n }))
/** SET_VRING_KICK, CALL and ERR: the index of the ring, and whether an fd comes with the message. */
export const notifier = ofWord(value => ({
  ring: Number(value & 0xffn),
  fd: (value & BigInt(NO_FD)) === 0n,
}))

export const ringState: Decoder = {
  bytes: 8,
  decode(payload) {
    const { index, value } = decodeVringState(payload)
    return { ring: index, value }
  },
}

export const addresses: Decoder = {
  bytes: 40,
  decode(payload) {
    const { index, addresses } = decodeVringAddresses(payload)
    const { flags, descriptors, used, available, log } = addresses
    return {
      ...{ ring: index, flags, descriptors: hex(descriptors) },
      ...{ used: hex(used), available: hex(available), log: hex(log) },
    }
  },
}

const regionOf = ({ guest, size, user, offset }: MemoryRegion): Record<string, string> => ({
  ...{ guest: hex(guest), size: hex(size) },
  ...{ user: hex(user), offset: hex(offset) },
})
const decodeTable = (payload: Uint8Array) => ({ regions: decodeRegions(payload).map(regionOf) })
export const table: Decoder = { bytes: TABLE_HEADER_SIZE, decode: decodeTable }
export const region: Decoder = { bytes: TABLE_HEADER_SIZE + REGION_SIZE, decode: decodeTable }

export const log: Decoder = {
  bytes: 16,
  decode(payload) {
    const { size, offset } = decodeLog(payload)
    return { size: hex(size), offset: hex(offset) }
  },
}

export const mac: Decoder = {
  bytes: 8,
  decode: payload => ({
    mac: Array.from(payload.subarray(0, 6), byte => byte.toString(16).padStart(2, '0')).join(':'),
  }),
}

/** A part of the configuration space. */
export const config: Decoder = {
  bytes: CONFIG_HEADER_SIZE,
  decode(payload) {
    const { offset, size, bytes } = decodeConfig(payload)
    return { offset, size, bytes: hexBytes(bytes) }
  },
}
