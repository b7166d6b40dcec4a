// Bytes of messages: header flags, the payloads that requests carry, and replies. Sizes were checked by the table in
// requests.ts before anything here reads. Fields are in host byte order, which is little-endian on every machine
// that Node and vhost-user meet on (vhost-user "Message format").
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

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

export function encodeMessage(request: number, flags: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_SIZE + payload.length)
  const view = viewOf(bytes)
  view.setUint32(0, request, true)
  view.setUint32(4, flags, true)
  view.setUint32(8, payload.length, true)
  bytes.set(payload, HEADER_SIZE)
  return bytes
}

export const encodeReply = (request: number, payload: Uint8Array): Uint8Array =>
  encodeMessage(request, REPLY_FLAGS, payload)

export function encodeU64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8)
  viewOf(bytes).setBigUint64(0, value, true)
  return bytes
}

export const decodeU64 = (payload: Uint8Array): bigint => viewOf(payload).getBigUint64(0, true)

/** The payload of SET_VRING_NUM, BASE and ENABLE and of GET_VRING_BASE. */
export interface VringState {
  index: number
  value: number
}

export function encodeVringState({ index, value }: VringState): Uint8Array {
  const bytes = new Uint8Array(8)
  const view = viewOf(bytes)
  view.setUint32(0, index, true)
  view.setUint32(4, value, true)
  return bytes
}

export function decodeVringState(payload: Uint8Array): VringState {
  const view = viewOf(payload)
  return { index: view.getUint32(0, true), value: view.getUint32(4, true) }
}

/** Where the parts of a ring are, as addresses in the front end. */
export interface RingAddresses {
  flags: number
  descriptors: bigint
  used: bigint
  available: bigint
  log: bigint
}

export function encodeVringAddresses(index: number, ring: RingAddresses): Uint8Array {
  const bytes = new Uint8Array(40)
  const view = viewOf(bytes)
  view.setUint32(0, index, true)
  view.setUint32(4, ring.flags, true)
  // On the wire "used" comes before "available", unlike in the ring's memory.
  view.setBigUint64(8, ring.descriptors, true)
  view.setBigUint64(16, ring.used, true)
  view.setBigUint64(24, ring.available, true)
  view.setBigUint64(32, ring.log, true)
  return bytes
}

export function decodeVringAddresses(payload: Uint8Array): RingAddresses & { index: number } {
  const view = viewOf(payload)
  return {
    index: view.getUint32(0, true),
    flags: view.getUint32(4, true),
    descriptors: view.getBigUint64(8, true),
    used: view.getBigUint64(16, true),
    available: view.getBigUint64(24, true),
    log: view.getBigUint64(32, true),
  }
}

export const REGION_SIZE = 32
export const TABLE_HEADER_SIZE = 8

export function encodeMemoryTable(regions: readonly MemoryRegion[]): Uint8Array {
  const bytes = new Uint8Array(TABLE_HEADER_SIZE + REGION_SIZE * regions.length)
  const view = viewOf(bytes)
  view.setUint32(0, regions.length, true)
  regions.forEach((region, i) => {
    const at = TABLE_HEADER_SIZE + REGION_SIZE * i
    view.setBigUint64(at, region.guest, true)
    view.setBigUint64(at + 8, region.size, true)
    view.setBigUint64(at + 16, region.user, true)
    view.setBigUint64(at + 24, region.offset, true)
  })
  return bytes
}

/** How many regions the table says it has; compare with the payload's size before decoding them. */
export const decodeRegionCount = (payload: Uint8Array): number => viewOf(payload).getUint32(0, true)

function regionAt(payload: Uint8Array, at: number): MemoryRegion {
  const view = viewOf(payload)
  const [guest, size, user, offset] = [0, 8, 16, 24].map(field => view.getBigUint64(at + field, true))
  return { guest, size, user, offset }
}

export function decodeRegions(payload: Uint8Array): MemoryRegion[] {
  const regions: MemoryRegion[] = []
  for (let at = TABLE_HEADER_SIZE; at + REGION_SIZE <= payload.length; at += REGION_SIZE)
    regions.push(regionAt(payload, at))
  return regions
}

/** ADD_MEM_REG and REM_MEM_REG: 8 bytes of padding, then the region. */
export const decodeRegion = (payload: Uint8Array): MemoryRegion => regionAt(payload, TABLE_HEADER_SIZE)

/** SET_LOG_BASE: where the dirty log is in its file. */
export interface LogPlace {
  size: bigint
  offset: bigint
}

export function decodeLog(payload: Uint8Array): LogPlace {
  const view = viewOf(payload)
  return { size: view.getBigUint64(0, true), offset: view.getBigUint64(8, true) }
}

/** GET_CONFIG and SET_CONFIG: offset, size and flags, then bytes. */
export const CONFIG_HEADER_SIZE = 12

export function decodeConfig(payload: Uint8Array): { offset: number; size: number; bytes: Uint8Array } {
  const view = viewOf(payload)
  const bytes = payload.subarray(CONFIG_HEADER_SIZE)
  return { offset: view.getUint32(0, true), size: view.getUint32(4, true), bytes }
}

export function encodeConfig(offset: number, part: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(CONFIG_HEADER_SIZE + part.length)
  const view = viewOf(bytes)
  view.setUint32(0, offset, true)
  view.setUint32(4, part.length, true)
  bytes.set(part, CONFIG_HEADER_SIZE)
  return bytes
}
