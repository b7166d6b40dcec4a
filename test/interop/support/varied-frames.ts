// Frames with the addresses, ports, flags and protocols of expressions.ts, for filters to tell apart: each of a seed's own
// choosing. They are made of the headers' corpus and need no right checksums, which no filter looks at.
import {
  type Carried,
  corpus,
  destinationOptions,
  ethernet,
  fragmentHeader,
  gre,
  hopByHop,
  icmp,
  icmp6,
  ip4,
  ip6,
  lies,
  routing,
  tcp,
  udp,
  vxlan,
} from '../../headers/support/corpus.js'

const ADDRESSES = [
  [192, 0, 2, 1],
  [198, 51, 100, 7],
  [10, 1, 2, 3],
  [10, 0, 0, 7],
  [172, 16, 9, 9],
  [192, 168, 1, 20],
  [224, 0, 0, 5],
  [255, 255, 255, 255],
]
const ADDRESSES6 = [
  [0x20, 1, 0x0d, 0xb8, ...new Array(11).fill(0), 1],
  [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0xff, 0, 0, 0, 0, 0, 0xab, 0xff, 0xff],
  [0xfe, 0x80, ...new Array(13).fill(0), 9],
  [0xff, 2, ...new Array(13).fill(0), 0xfb],
]
const PORTS = [20, 22, 53, 67, 68, 80, 123, 179, 443, 1000, 4789, 5060, 5353, 6081, 8080, 8999, 49152, 65535]
const FLAGS = [0x02, 0x12, 0x10, 0x18, 0x04, 0x14, 0x11, 0x01, 0x20, 0x00, 0xc2]
const LENGTHS = [0, 1, 4, 10, 18, 33, 64, 200, 900]
/** 0, 1, 2 …: HOPOPTS of nothing, IGMP, GRE of nothing, ESP, AH, OSPF, PIM, VRRP, SCTP, and one for experiments. */
const SCTP = 132
const PROTOCOLS = [0, 2, 9, 47, 50, 51, 89, 103, 112, SCTP, 253]
const RARP = 0x8035
const ETHERTYPES = [
  RARP,
  0x88cc,
  0x88b5,
  0x809b,
  0x80f3,
  0x6003,
  0x8863,
  0x6002,
  0x6001,
  0x6007,
  0x6004,
  0x8137,
]
const TAGS = [5, 10, 100, 0x7064, 0x0fff]
const LLC = [
  [0x42, 0x42, 3],
  [0xaa, 0xaa, 3, 0, 0, 0, 8, 0],
  [0xaa, 0xaa, 3, 8, 0, 7, 0x80, 0x9b],
  [0xfe, 0xfe, 3],
  [0xe0, 0xe0, 3],
  [0xf0, 0xf0, 0, 2],
  [0x04, 0x04, 1, 2],
  [0xff, 0xff],
]

/** Numbers from 0 to `below`, the same for the same seed. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const u16 = (value: number): number[] => [value >> 8, value & 255]
const bytes = (count: number): number[] => Array.from({ length: count }, (_, i) => 97 + (i % 26))

class Maker {
  readonly #random: (below: number) => number

  constructor(seed: number) {
    this.#random = randomNumbers(seed)
  }

  #one<T>(of: readonly T[]): T {
    return of[this.#random(of.length)]
  }

  /** What IP carries. */
  #carried(six: boolean): Carried {
    const kind = this.#random(10)
    if (kind < 4) return this.#ported(tcp(this.#one(LENGTHS), [], this.#one(FLAGS)))
    if (kind < 7) return this.#ported(udp(bytes(this.#one(LENGTHS)), 53, this.#random(4) > 0))
    if (kind === 7)
      return six ? icmp6(this.#one([1, 128, 129, 135, 136]), bytes(20)) : icmp(this.#one([0, 3, 8, 11]), 20)
    if (kind === 8)
      return this.#random(2)
        ? vxlan(this.#frame(0))
        : gre(0x0800, this.#ipv4(tcp(4)), { key: this.#random(2) > 0 })
    const protocol = this.#one(PROTOCOLS)
    const other = { protocol, bytes: () => bytes(this.#one(LENGTHS)) }
    return protocol === SCTP ? this.#ported(other) : other
  }

  #ported(carried: Carried): Carried {
    const ports = [...u16(this.#one(PORTS)), ...u16(this.#one(PORTS))]
    return { protocol: carried.protocol, bytes: pseudo => [...ports, ...carried.bytes(pseudo).slice(4)] }
  }

  #ipv4(carried: Carried): number[] {
    const fragment = this.#one([0, 0, 0, 0x4000, 0x2000, 0x2008, 8])
    const options = this.#one([[], [], [], [0x94, 4, 0, 0]])
    const packet = ip4(carried, { fragment, options, ttl: this.#one([1, 5, 64, 255]) })
    packet.splice(12, 8, ...this.#one(ADDRESSES), ...this.#one(ADDRESSES))
    if (this.#random(20) === 0) packet[0] = this.#one([0x44, 0x4f, 0x65, 0x05])
    return packet
  }

  #ipv6(carried: Carried): number[] {
    const extensions = this.#one([
      [],
      [],
      [hopByHop],
      [hopByHop, destinationOptions, routing],
      [fragmentHeader(0, true)],
      [fragmentHeader(4, false)],
    ])
    const packet = ip6(carried, extensions)
    packet.splice(8, 32, ...this.#one(ADDRESSES6), ...this.#one(ADDRESSES6))
    return packet
  }

  #arp(): number[] {
    const addresses = [[0x02, 0, 0, 0, 0, 1], this.#one(ADDRESSES), [0, 0, 0, 0, 0, 0], this.#one(ADDRESSES)]
    return [0, 1, 8, 0, 6, 4, 0, 1 + this.#random(4), ...addresses.flat()]
  }

  /** Type and body; `depth`: how many tunnels may still be around it. */
  #body(depth: number): [type: number, body: number[]] {
    const kind = this.#random(16)
    if (kind < 7) return [0x0800, this.#ipv4(this.#carried(false))]
    if (kind < 10) return [0x86dd, this.#ipv6(this.#carried(true))]
    if (kind === 10) return [0x0806, this.#arp()]
    if (kind === 11) return this.#other(this.#one(ETHERTYPES))
    if (kind === 12) return [40, [...this.#one(LLC), ...bytes(37)]]
    if (depth === 0) return [0x0800, this.#ipv4(udp(bytes(4)))]
    const [type, body] = this.#body(depth - 1)
    if (kind === 13) return [0x8847, this.#mpls(body)]
    if (kind === 14) return [0x8864, this.#pppoe(type, body)]
    return [0x0800, this.#ipv4(this.#geneve(type, body))]
  }

  #other(type: number): [type: number, body: number[]] {
    return [type, type === RARP ? this.#arp() : bytes(46)]
  }

  #mpls(body: number[]): number[] {
    const label = (last: number): number[] => [0, 0x3e, 0x80 | last, 64] // 1,000
    return this.#random(2) ? [...label(1), ...body] : [...label(0), ...label(1), ...body]
  }

  #pppoe(type: number, body: number[]): number[] {
    return [
      0x11,
      0,
      0,
      this.#one([7, 8]),
      ...u16(body.length + 2),
      ...(type === 0x86dd ? [0, 0x57] : [0, 0x21]),
      ...body,
    ]
  }

  #geneve(type: number, body: number[]): Carried {
    const frame = ethernet(type, body)
    return udp([0, 0, 0x65, 0x58, 0, 0, this.#one([42, 43]), 0, ...frame], 6081)
  }

  #frame(depth: number): number[] {
    const [type, body] = this.#body(depth)
    const count = this.#one([0, 0, 0, 0, 1, 1, 2])
    const tags = Array.from({ length: count }, (_, i): [number, number] => [
      i === 0 && count === 2 ? this.#one([0x88a8, 0x8100, 0x9100]) : 0x8100,
      this.#one(TAGS),
    ])
    const frame = ethernet(type, body, tags)
    const group = this.#random(8)
    if (group === 0) frame.splice(0, 6, ...new Array(6).fill(0xff))
    if (group === 1) frame.splice(0, 6, 0x01, 0, 0x5e, 0, 0, 5)
    if (group === 2) frame.splice(6, 6, 0x02, 0, 0, 0, 0, 9)
    return frame
  }

  /** Whole, or cut off anywhere. */
  next(): Uint8Array {
    const frame = this.#frame(1)
    const cut = this.#random(5) === 0 ? 14 + this.#random(frame.length - 13) : frame.length
    return Uint8Array.from(frame.slice(0, cut))
  }
}

/** The headers' corpus, its lies, all of them cut off in many places, and `count` frames more. */
export function variedFrames(count: number, seed = 6): Uint8Array[] {
  const known = [...Object.values(corpus), ...Object.values(lies).map(([frame]) => frame)]
  const cut = known.flatMap(frame =>
    [14, 15, 17, 20, 33, 34, 38, 46, 47, 54, 60].map(at => frame.slice(0, at)),
  )
  const maker = new Maker(seed)
  return [...known, ...cut, ...Array.from({ length: count }, () => maker.next())]
}
