// The front end's side of the vhost-user messages: encodes requests and decodes replies. It shares no code with the
// back end's codec, because a mistake in shared code would not be found by tests that use both. Numbers are in host
// byte order, which is little-endian here. (vhost-user, "Message specification".)

export const REQUEST = {
  GET_FEATURES: 1,
  SET_FEATURES: 2,
  SET_OWNER: 3,
  SET_MEM_TABLE: 5,
  SET_LOG_BASE: 6,
  SET_VRING_NUM: 8,
  SET_VRING_ADDR: 9,
  SET_VRING_BASE: 10,
  GET_VRING_BASE: 11,
  SET_VRING_KICK: 12,
  SET_VRING_CALL: 13,
  SET_VRING_ERR: 14,
  GET_PROTOCOL_FEATURES: 15,
  SET_PROTOCOL_FEATURES: 16,
  GET_QUEUE_NUM: 17,
  SET_VRING_ENABLE: 18,
  ADD_MEM_REG: 37,
  SET_STATUS: 39,
  GET_STATUS: 40,
} as const
export type RequestName = keyof typeof REQUEST

export const nameOf = (request: number): string =>
  Object.entries(REQUEST).find(([, id]) => id === request)?.[0] ?? `request ${request}`

export const HEADER_BYTES = 12
export const VERSION = 1
export const REPLY = 4
export const NEED_REPLY = 8

export const PROTOCOL_MQ = 1n << 0n
export const PROTOCOL_LOG_SHMFD = 1n << 1n
export const PROTOCOL_REPLY_ACK = 1n << 3n
export const PROTOCOL_MEM_SLOTS = 1n << 15n
export const PROTOCOL_STATUS = 1n << 16n
/** VHOST_USER_F_PROTOCOL_FEATURES is negotiated only between front end and back end; the guest never sees it. */
export const F_PROTOCOL_FEATURES = 1n << 30n

/** VHOST_F_LOG_ALL: likewise, and set only while a migration runs. */
export const F_LOG_ALL = 1n << 26n

export const STATUS_RUNNING = 0x0fn // ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK
export const STATUS_FEATURES_OK = 0x0bn

export interface Region {
  guestAddress: bigint
  size: bigint
  userAddress: bigint
  offset: bigint
}

export interface RingAddresses {
  descriptors: bigint
  used: bigint
  available: bigint
}

export function message(request: number, flags: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + payload.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, request, true)
  view.setUint32(4, VERSION | flags, true)
  view.setUint32(8, payload.length, true)
  bytes.set(payload, HEADER_BYTES)
  return bytes
}

function words(...values: bigint[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(8 * values.length))
  values.forEach((value, n) => {
    view.setBigUint64(8 * n, value, true)
  })
  return new Uint8Array(view.buffer)
}

export const nothing = new Uint8Array(0)
export const u64 = (value: bigint): Uint8Array => words(value)
export const state = (ring: number, value: number): Uint8Array => words(BigInt(ring) | (BigInt(value) << 32n))

/** `log`: the guest-physical address of the used ring, if writes to it are to be marked (VHOST_VRING_F_LOG). */
export const address = (ring: number, at: RingAddresses, log?: bigint): Uint8Array =>
  words(BigInt(ring) | (log === undefined ? 0n : 1n << 32n), at.descriptors, at.used, at.available, log ?? 0n)

export const logPlace = (size: bigint, offset: bigint): Uint8Array => words(size, offset)

const regionWords = ({ guestAddress, size, userAddress, offset }: Region): bigint[] => [
  guestAddress,
  size,
  userAddress,
  offset,
]

export const memoryTable = (regions: Region[]): Uint8Array =>
  words(BigInt(regions.length), ...regions.flatMap(regionWords))

/** ADD_MEM_REG and REM_MEM_REG. */
export const oneRegion = (region: Region): Uint8Array => words(0n, ...regionWords(region))

export const readU64 = (payload: Uint8Array): bigint =>
  new DataView(payload.buffer, payload.byteOffset, payload.byteLength).getBigUint64(0, true)

export function readState(payload: Uint8Array): { ring: number; value: number } {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  return { ring: view.getUint32(0, true), value: view.getUint32(4, true) }
}
