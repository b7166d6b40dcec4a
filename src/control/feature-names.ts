// The feature bits by their full names in the specifications and in librte_vhost, for options, events and messages to
// people. This folder itself uses the short names of features.ts.
import { type ProtocolFeature, protocolBits, type VirtioFeature, virtioBits } from './features.js'

type OfTransport = 'ANY_LAYOUT' | 'VERSION_1' | 'ACCESS_PLATFORM' | 'RING_PACKED' | 'IN_ORDER'
type OfRing = 'INDIRECT_DESC' | 'EVENT_IDX'

/** A feature bit of virtio-net, for instance `VIRTIO_NET_F_MRG_RXBUF`. */
export type FeatureName =
  | `VIRTIO_F_${OfTransport}`
  | `VIRTIO_RING_F_${OfRing}`
  | 'VHOST_F_LOG_ALL'
  | 'VHOST_USER_F_PROTOCOL_FEATURES'
  | `VIRTIO_NET_F_${Exclude<VirtioFeature, OfTransport | OfRing | 'LOG_ALL' | 'PROTOCOL_FEATURES'>}`

/** A bit of the vhost-user protocol, for instance `VHOST_USER_PROTOCOL_F_MQ`. */
export type ProtocolFeatureName = `VHOST_USER_PROTOCOL_F_${ProtocolFeature}`

const prefixes: [string, readonly VirtioFeature[]][] = [
  ['VIRTIO_F_', ['ANY_LAYOUT', 'VERSION_1', 'ACCESS_PLATFORM', 'RING_PACKED', 'IN_ORDER']],
  ['VIRTIO_RING_F_', ['INDIRECT_DESC', 'EVENT_IDX']],
  ['VHOST_F_', ['LOG_ALL']],
  ['VHOST_USER_F_', ['PROTOCOL_FEATURES']],
]

const nameOf = (short: VirtioFeature): string =>
  `${prefixes.find(([, names]) => names.includes(short))?.[0] ?? 'VIRTIO_NET_F_'}${short}`

const virtioByBit = new Map(
  Object.entries(virtioBits).map(([name, bit]) => [bit as number, nameOf(name as VirtioFeature)]),
)
const protocolByBit = new Map(
  Object.entries(protocolBits).map(([name, bit]) => [bit as number, `VHOST_USER_PROTOCOL_F_${name}`]),
)

/** Lowest bit first; a bit without a name is `bit <n>`. */
function namesIn(mask: bigint, names: Map<number, string>): string[] {
  const found: string[] = []
  const [low, high] = [Number(mask & 0xffffffffn), Number((mask >> 32n) & 0xffffffffn)]
  for (let bit = 0; bit < 64; bit++)
    if ((bit < 32 ? low >>> bit : high >>> (bit - 32)) & 1) found.push(names.get(bit) ?? `bit ${bit}`)
  return found
}

export const featureNames = (mask: bigint): FeatureName[] => namesIn(mask, virtioByBit) as FeatureName[]
export const protocolFeatureNames = (mask: bigint): ProtocolFeatureName[] =>
  namesIn(mask, protocolByBit) as ProtocolFeatureName[]

/** The bit of a name; undefined for one that does not exist. */
export function bitOf(name: string): { kind: 'virtio' | 'protocol'; mask: bigint } | undefined {
  for (const [kind, names] of [
    ['virtio', virtioByBit],
    ['protocol', protocolByBit],
  ] as const)
    for (const [bit, known] of names) if (known === name) return { kind, mask: 1n << BigInt(bit) }
  return undefined
}
