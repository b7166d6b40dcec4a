// Selects the queue pair for a packet to a guest that runs several: the pair on which the guest last sent packets of the same
// flow, so that answers arrive on the processor that asked (Linux calls that automatic flow steering).
//
// Both directions of a flow have the same hash: it adds addresses and ports, so that their order does not matter.
import { SLOT_LENGTH, SLOT_OFFSET, SLOT_SHIFT } from '../packet/packet.js'

/** Flows that are remembered, a power of two, 5 bytes each: as many as Linux's tun remembers for a device. */
const ENTRIES = 4096
const INDEX_MASK = ENTRIES - 1
const NO_PAIR = -1

const IPV4 = 0x0800
const IPV6 = 0x86dd
const VLAN = 0x8100
const SERVICE_VLAN = 0x88a8
const ETHERNET = 14
/** TCP, UDP, SCTP, UDP-Lite, DCCP: their headers begin with the two ports. */
const hasPorts = (protocol: number): boolean =>
  protocol === 6 || protocol === 17 || protocol === 132 || protocol === 136 || protocol === 33

/** The frames of a pool: their bytes and the words of their slots. */
export interface FrameBytes {
  readonly bytes: Uint8Array
  readonly meta: Uint32Array
}

const u16 = (bytes: Uint8Array, at: number): number => (bytes[at] << 8) | bytes[at + 1]
const u32 = (bytes: Uint8Array, at: number): number => (u16(bytes, at) << 16) | u16(bytes, at + 2)

// The finalizer of MurmurHash3: every bit of the sum affects every bit of the result.
function mix(sum: number): number {
  let h = Math.imul(sum ^ (sum >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  // The result is signed: V8 would store a number of 2^31 or more as a double, perhaps in an object.
  return h ^ (h >>> 16)
}

/** A hash of the flow of the frame of `length` bytes at `at`: of its IP addresses and ports, or else Ethernet addresses. */
export function flowHash(bytes: Uint8Array, at: number, length: number): number {
  const end = at + length
  let header = at + ETHERNET
  let type = u16(bytes, at + 12)
  for (let tags = 0; tags < 2 && (type === VLAN || type === SERVICE_VLAN) && header + 4 <= end; tags++) {
    type = u16(bytes, header + 2)
    header += 4
  }
  if (type === IPV4 && header + 20 <= end) return ipv4(bytes, header, end)
  if (type === IPV6 && header + 40 <= end) return ipv6(bytes, header, end)
  return mix((u32(bytes, at) + u32(bytes, at + 6) + u16(bytes, at + 4) + u16(bytes, at + 10) + type) | 0)
}

function ipv4(bytes: Uint8Array, at: number, end: number): number {
  const addresses = (u32(bytes, at + 12) + u32(bytes, at + 16)) | 0
  const protocol = bytes[at + 9]
  const ports = at + 4 * (bytes[at] & 0xf)
  // Only the first fragment has ports, but all fragments belong to one flow.
  const whole = (u16(bytes, at + 6) & 0x3fff) === 0
  return mix((mix(addresses) + (whole ? portSum(bytes, ports, end, protocol) : protocol)) | 0)
}

function ipv6(bytes: Uint8Array, at: number, end: number): number {
  let addresses = 0
  for (let i = 8; i < 40; i += 4) addresses = (addresses + u32(bytes, at + i)) | 0
  return mix((mix(addresses) + portSum(bytes, at + 40, end, bytes[at + 6])) | 0)
}

const portSum = (bytes: Uint8Array, at: number, end: number, protocol: number): number =>
  hasPorts(protocol) && at + 4 <= end ? ((u16(bytes, at) + u16(bytes, at + 2)) << 8) + protocol : protocol

/** The flows of one device, with the pair on which its guest last sent each. */
export class FlowTable {
  #hashes: Int32Array | undefined
  #pairs: Uint8Array | undefined

  /** Remembers that the guest sent these packets on this pair. */
  learn(frames: FrameBytes, ids: Uint32Array, count: number, pair: number): void {
    this.#hashes ??= new Int32Array(ENTRIES)
    this.#pairs ??= new Uint8Array(ENTRIES)
    const hashes = this.#hashes
    const pairs = this.#pairs
    for (let i = 0; i < count; i++) {
      const hash = hashOf(frames, ids[i])
      // An entry has one flow. Another flow with the same index replaces it, and the first is then one that was never seen.
      hashes[hash & INDEX_MASK] = hash
      pairs[hash & INDEX_MASK] = pair + 1
    }
  }

  /** The pair for the packet, one of `running`, which must not be empty. */
  pairOf(frames: FrameBytes, id: number, running: readonly number[]): number {
    const hash = hashOf(frames, id)
    if (this.#hashes !== undefined && this.#hashes[hash & INDEX_MASK] === hash) {
      const pair = (this.#pairs as Uint8Array)[hash & INDEX_MASK] - 1
      if (pair !== NO_PAIR && running.includes(pair)) return pair
    }
    // The upper half of the hash, scaled to the number of pairs: no division.
    return running[((hash >>> 16) * running.length) >>> 16]
  }
}

function hashOf({ bytes, meta }: FrameBytes, id: number): number {
  const at = id << SLOT_SHIFT
  return flowHash(bytes, meta[at + SLOT_OFFSET], meta[at + SLOT_LENGTH])
}
