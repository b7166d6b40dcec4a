// The feature bits of virtio and of the vhost-user protocol by their short names. The kind of a device decides which of
// them it offers (virtio 1.2, 5 and 6; vhost-user "Protocol features").

export const virtioBits = {
  CSUM: 0,
  GUEST_CSUM: 1,
  MTU: 3,
  GUEST_TSO4: 7,
  GUEST_TSO6: 8,
  GUEST_ECN: 9,
  GUEST_UFO: 10,
  HOST_TSO4: 11,
  HOST_TSO6: 12,
  HOST_ECN: 13,
  HOST_UFO: 14,
  MRG_RXBUF: 15,
  CTRL_VQ: 17,
  CTRL_RX: 18,
  GUEST_ANNOUNCE: 21,
  MQ: 22,
  LOG_ALL: 26,
  ANY_LAYOUT: 27,
  INDIRECT_DESC: 28,
  EVENT_IDX: 29,
  PROTOCOL_FEATURES: 30,
  VERSION_1: 32,
  ACCESS_PLATFORM: 33,
  RING_PACKED: 34,
  IN_ORDER: 35,
} as const

export type VirtioFeature = keyof typeof virtioBits

export const protocolBits = {
  MQ: 0,
  LOG_SHMFD: 1,
  RARP: 2,
  REPLY_ACK: 3,
  MTU: 4,
  BACKEND_REQ: 5,
  CROSS_ENDIAN: 6,
  CRYPTO_SESSION: 7,
  PAGEFAULT: 8,
  CONFIG: 9,
  BACKEND_SEND_FD: 10,
  HOST_NOTIFIER: 11,
  INFLIGHT_SHMFD: 12,
  RESET_DEVICE: 13,
  INBAND_NOTIFICATIONS: 14,
  CONFIGURE_MEM_SLOTS: 15,
  STATUS: 16,
} as const

export type ProtocolFeature = keyof typeof protocolBits

function masksOf<T extends string>(bits: Record<T, number>): Record<T, bigint> {
  const masks = Object.entries<number>(bits).map(([name, bit]) => [name, 1n << BigInt(bit)])
  return Object.fromEntries(masks) as Record<T, bigint>
}
const virtioMasks = masksOf(virtioBits)
const protocolMasks = masksOf(protocolBits)

export const virtioMask = (...names: VirtioFeature[]): bigint =>
  names.reduce((mask, name) => mask | virtioMasks[name], 0n)
export const protocolMask = (...names: ProtocolFeature[]): bigint =>
  names.reduce((mask, name) => mask | protocolMasks[name], 0n)

export const hasVirtio = (mask: bigint, name: VirtioFeature): boolean => (mask & virtioMasks[name]) !== 0n
export const hasProtocol = (mask: bigint, name: ProtocolFeature): boolean =>
  (mask & protocolMasks[name]) !== 0n
