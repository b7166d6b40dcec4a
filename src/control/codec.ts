// Encodes and decodes messages: header flags, payloads of requests, and replies. The table in requests.ts has checked
// the sizes before. Fields are in host byte order, which is little-endian on every machine on which Node and vhost-user
// run (vhost-user "Message format").
import type { MemoryRegion } from './events.js'

export const HEADER_SIZE = 12
/** Bits 0-1 of the flags. */
export const VERSION = 1
export const FLAG_REPLY = 0x4
export const FLAG_NEED_REPLY = 0x8
/** QEMU and virtio-user compare the whole word of a reply, so NEED_REPLY is never echoed. */
export const REPLY_FLAGS = VERSION | FLAG_REPLY
/** SET_VRING_KICK/CALL/ERR: no fd is attached. */
export const NO_FD = 0x100

// Written byte by byte, because for a DataView V8 would allocate a separate buffer outside its heap.
const word = new BigUint64Array(1)
/** The bytes of `word`, lowest first. */
const halves = new Uint32Array(word.buffer)

function getU32(bytes: Uint8Array, at: number): number {
  if (at + 4 > bytes.length) throw new RangeError('the payload ends before this field')
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0
}

function getU64(bytes: Uint8Array, at: number): bigint {
  halves[0] = getU32(bytes, at)
  halves[1] = getU32(bytes, at + 4)
  return word[0]
}

function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}

function putU64(bytes: Uint8Array, at: number, value: bigint): void {
  word[0] = value
  putU32(bytes, at, halves[0])
  putU32(bytes, at + 4, halves[1])
}

export function encodeMessage(request: number, flags: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_SIZE + payload.length)
  putU32(bytes, 0, request)
  putU32(bytes, 4, flags)
  putU32(bytes, 8, payload.length)
  bytes.set(payload, HEADER_SIZE)
  return bytes
}

export const encodeReply = (request: number, payload: Uint8Array): Uint8Array =>
  encodeMessage(request, REPLY_FLAGS, payload)

export function encodeU64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8)
  putU64(bytes, 0, value)
  return bytes
}

export const decodeU64 = (payload: Uint8Array): bigint => getU64(payload, 0)

/** The payload of SET_VRING_NUM, BASE and ENABLE and of GET_VRING_BASE. */
export interface VringState {
  index: number
  value: number
}

export function encodeVringState({ index, value }: VringState): Uint8Array {
  const bytes = new Uint8Array(8)
  putU32(bytes, 0, index)
  putU32(bytes, 4, value)
  return bytes
}

export function decodeVringState(payload: Uint8Array): VringState {
  return { index: getU32(payload, 0), value: getU32(payload, 4) }
}

/** The addresses of a ring's parts in the front end's address space. */
export interface RingAddresses {
  flags: number
  descriptors: bigint
  used: bigint
  available: bigint
  log: bigint
}

export function encodeVringAddresses(index: number, ring: RingAddresses): Uint8Array {
  const bytes = new Uint8Array(40)
  putU32(bytes, 0, index)
  putU32(bytes, 4, ring.flags)
  // In the message, "used" comes before "available"; in the ring's memory it is the other way round.
  putU64(bytes, 8, ring.descriptors)
  putU64(bytes, 16, ring.used)
  putU64(bytes, 24, ring.available)
  putU64(bytes, 32, ring.log)
  return bytes
}

export function decodeVringAddresses(payload: Uint8Array): { index: number; addresses: RingAddresses } {
  return {
    index: getU32(payload, 0),
    addresses: {
      flags: getU32(payload, 4),
      descriptors: getU64(payload, 8),
      used: getU64(payload, 16),
      available: getU64(payload, 24),
      log: getU64(payload, 32),
    },
  }
}

export const REGION_SIZE = 32
export const TABLE_HEADER_SIZE = 8

export function encodeMemoryTable(regions: readonly MemoryRegion[]): Uint8Array {
  const bytes = new Uint8Array(TABLE_HEADER_SIZE + REGION_SIZE * regions.length)
  putU32(bytes, 0, regions.length)
  regions.forEach((region, i) => {
    const at = TABLE_HEADER_SIZE + REGION_SIZE * i
    putU64(bytes, at, region.guest)
    putU64(bytes, at + 8, region.size)
    putU64(bytes, at + 16, region.user)
    putU64(bytes, at + 24, region.offset)
  })
  return bytes
}

/** Returns the number of regions that the table claims to have. Compare it with the payload's size before decoding. */
export const decodeRegionCount = (payload: Uint8Array): number => getU32(payload, 0)

function regionAt(payload: Uint8Array, at: number): MemoryRegion {
  return {
    guest: getU64(payload, at),
    size: getU64(payload, at + 8),
    user: getU64(payload, at + 16),
    offset: getU64(payload, at + 24),
  }
}

export function decodeRegions(payload: Uint8Array): MemoryRegion[] {
  const regions: MemoryRegion[] = []
  for (let at = TABLE_HEADER_SIZE; at + REGION_SIZE <= payload.length; at += REGION_SIZE)
    regions.push(regionAt(payload, at))
  return regions
}

/** ADD_MEM_REG and REM_MEM_REG: 8 bytes of padding, then the region. */
export const decodeRegion = (payload: Uint8Array): MemoryRegion => regionAt(payload, TABLE_HEADER_SIZE)

/** SET_LOG_BASE: the place of the dirty log in its file. */
export interface LogPlace {
  size: bigint
  offset: bigint
}

export function decodeLog(payload: Uint8Array): LogPlace {
  return { size: getU64(payload, 0), offset: getU64(payload, 8) }
}

/** GET_CONFIG and SET_CONFIG: offset, size and flags, then bytes. */
export const CONFIG_HEADER_SIZE = 12

export function decodeConfig(payload: Uint8Array): { offset: number; size: number; bytes: Uint8Array } {
  const bytes = payload.subarray(CONFIG_HEADER_SIZE)
  return { offset: getU32(payload, 0), size: getU32(payload, 4), bytes }
}

export function encodeConfig(offset: number, part: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(CONFIG_HEADER_SIZE + part.length)
  putU32(bytes, 0, offset)
  putU32(bytes, 4, part.length)
  bytes.set(part, CONFIG_HEADER_SIZE)
  return bytes
}
