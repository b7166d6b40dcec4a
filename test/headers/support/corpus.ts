// Frames with every header that src/headers knows, made byte by byte here, with checksums by a sum of its own: nothing is
// taken from what is tested.

const u16 = (...values: number[]): number[] => values.flatMap(value => [(value >>> 8) & 0xff, value & 0xff])
const u32 = (...values: number[]): number[] => values.flatMap(value => u16(value >>> 16, value))

export function checksum(bytes: readonly number[]): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) sum += bytes[i] * 256 + (bytes[i + 1] ?? 0)
  while (sum > 65535) sum = (sum % 65536) + Math.floor(sum / 65536)
  return 65535 - sum
}

const withChecksum = (bytes: number[], at: number, before: number[] = []): number[] => {
  const all = [...bytes]
  all.splice(at, 2, ...u16(checksum([...before, ...bytes])))
  return all
}

type Pseudo = (protocol: number, length: number) => number[]
/** What IP carries: its protocol number, and its bytes for a pseudo-header. */
export interface Carried {
  protocol: number
  bytes: (pseudo: Pseudo) => number[]
}

const MACS = [0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1]
export const SOURCE4 = [192, 0, 2, 1]
export const TARGET4 = [198, 51, 100, 7]
export const SOURCE6 = [0x20, 0x01, 0x0d, 0xb8, ...u16(0, 0, 0, 0, 0, 1)]
export const TARGET6 = [0x20, 0x01, 0x0d, 0xb8, ...u16(0xff, 0, 0, 0, 0xab, 0xffff)]

export const ethernet = (type: number, body: number[], tags: [type: number, control: number][] = []) => [
  ...MACS,
  ...tags.flatMap(([tag, control]) => u16(tag, control)),
  ...u16(type),
  ...body,
]

export function ip4(
  carried: Carried,
  { options = [] as number[], fragment = 0, ttl = 64, part = (b: number[]) => b } = {},
) {
  const body = part(
    carried.bytes((protocol, length) => [...SOURCE4, ...TARGET4, 0, protocol, ...u16(length)]),
  )
  const words = 5 + options.length / 4
  const length = words * 4 + body.length
  const head = [0x40 | words, 0xb9, ...u16(length, 0x1234, fragment), ttl, carried.protocol, 0, 0]
  return [...withChecksum([...head, ...SOURCE4, ...TARGET4, ...options], 10), ...body]
}

type Extension = [type: number, body: (next: number) => number[]]
export function ip6(carried: Carried, extensions: Extension[] = [], part = (b: number[]) => b) {
  const upper = part(
    carried.bytes((protocol, length) => [...SOURCE6, ...TARGET6, ...u32(length), 0, 0, 0, protocol]),
  )
  const types = [...extensions.map(([type]) => type), carried.protocol]
  const body = [...extensions.flatMap(([, make], i) => make(types[i + 1])), ...upper]
  return [0x6b, 0x91, 0x23, 0x45, ...u16(body.length), types[0], 63, ...SOURCE6, ...TARGET6, ...body]
}

export const hopByHop: Extension = [0, next => [next, 0, 5, 2, 0, 0, 1, 0]]
export const destinationOptions: Extension = [60, next => [next, 1, 1, 12, ...new Array(12).fill(0)]]
/** A segment routing header that has arrived: no segments left. */
export const routing: Extension = [43, next => [next, 2, 4, 0, 0, 0, 0, 0, ...TARGET6]]
export const authentication: Extension = [51, next => [next, 4, 0, 0, ...u32(77, 1), ...u32(1, 2, 3)]]
export const fragmentHeader = (offset: number, more: boolean): Extension => [
  44,
  next => [next, 0, ...u16((offset << 3) | (more ? 1 : 0)), ...u32(0xdeadbeef)],
]

const text = (length: number): number[] => Array.from({ length }, (_, i) => 97 + (i % 26))

export const tcp = (payload: number, options: number[] = [], flags = 0x18): Carried => ({
  protocol: 6,
  bytes(pseudo) {
    const words = 5 + options.length / 4
    const head = [...u16(49152, 443), ...u32(0x89abcdef, 0xfedcba98), words << 4, flags, ...u16(64240, 0, 9)]
    const bytes = [...head, ...options, ...text(payload)]
    return withChecksum(bytes, 16, pseudo(6, bytes.length))
  },
})

export const udp = (payload: number[], to = 53, sum = true): Carried => ({
  protocol: 17,
  bytes(pseudo) {
    const bytes = [...u16(5353, to, 8 + payload.length, 0), ...payload]
    return sum ? withChecksum(bytes, 6, pseudo(17, bytes.length)) : bytes
  },
})

export const icmp = (type: number, payload: number): Carried => ({
  protocol: 1,
  bytes: () => withChecksum([type, 0, 0, 0, ...u16(0x1111, 5), ...text(payload)], 2),
})

export const icmp6 = (type: number, payload: number[]): Carried => ({
  protocol: 58,
  bytes(pseudo) {
    const bytes = [type, 0, 0, 0, ...payload]
    return withChecksum(bytes, 2, pseudo(58, bytes.length))
  },
})

export const vxlan = (frame: number[], sum = false): Carried =>
  udp([8, 0, 0, 0, 0x01, 0x23, 0x45, 0, ...frame], 4789, sum)

export const gre = (type: number, body: number[], { sum = false, key = false, sequence = false } = {}) => ({
  protocol: 47,
  bytes(): number[] {
    const flags = (sum ? 0x80 : 0) | (key ? 0x20 : 0) | (sequence ? 0x10 : 0)
    const fields = [sum ? [0, 0, 0, 0] : [], key ? u32(0xcafe0001) : [], sequence ? u32(0xfffffff0) : []]
    const bytes = [flags, 0, ...u16(type), ...fields.flat(), ...body]
    return sum ? withChecksum(bytes, 4) : bytes
  },
})

const arp = [...u16(1, 0x0800), 6, 4, ...u16(1), ...MACS.slice(6), ...SOURCE4, 0, 0, 0, 0, 0, 0, ...TARGET4]
const mss = [2, 4, 5, 0xb4, 4, 2, 8, 10, ...u32(1, 0), 1, 3, 3, 7]
const timestamps = [1, 1, 8, 10, ...u32(123456, 654321)]
const routerAlert = [0x94, 4, 0, 0]
const echo6 = [...u16(7, 8), ...text(16)]
const solicit = [0, 0, 0, 0, ...TARGET6, 1, 1, ...MACS.slice(6)]

const inside4 = (payload: number): number[] => ip4(tcp(payload))
const framed = (payload: number): number[] => ethernet(0x0800, ip4(udp(text(payload))))
/** A datagram cut into pieces of `size`, a multiple of eight. */
const piece = (from: number, to: number) => (bytes: number[]) => bytes.slice(from, to)

/** Name → frame. Whole and valid, all of them. */
export const corpus: Record<string, Uint8Array> = Object.fromEntries(
  Object.entries({
    arp: ethernet(0x0806, arp),
    'arp, tagged': ethernet(0x0806, arp, [[0x8100, 5]]),
    'not ip': ethernet(0x88b5, text(46)),
    '802.3 length': ethernet(40, text(40)),
    tcp: ethernet(0x0800, ip4(tcp(100))),
    'tcp, odd': ethernet(0x0800, ip4(tcp(33, timestamps))),
    'tcp, syn': ethernet(0x0800, ip4(tcp(0, mss, 0xc2))),
    'tcp, padded': [...ethernet(0x0800, ip4(tcp(0))), 0xee, 0xee, 0xee, 0xee, 0xee, 0xee],
    'tcp, ip options': ethernet(0x0800, ip4(tcp(20), { options: routerAlert })),
    'tcp, tag': ethernet(0x0800, ip4(tcp(20)), [[0x8100, 0xb00a]]),
    'tcp, qinq': ethernet(0x0800, ip4(tcp(20)), [
      [0x88a8, 0x7064],
      [0x8100, 0x0fff],
    ]),
    udp: ethernet(0x0800, ip4(udp(text(31)))),
    'udp, no checksum': ethernet(0x0800, ip4(udp(text(31), 53, false))),
    'udp, empty': ethernet(0x0800, ip4(udp([]))),
    'udp, first fragment': ethernet(0x0800, ip4(udp(text(100)), { fragment: 0x2000, part: piece(0, 64) })),
    'udp, last fragment': ethernet(0x0800, ip4(udp(text(100)), { fragment: 8, part: piece(64, 108) })),
    icmp: ethernet(0x0800, ip4(icmp(8, 56), { fragment: 0x4000 })),
    'other protocol': ethernet(0x0800, ip4({ protocol: 253, bytes: () => text(30) })),
    tcp6: ethernet(0x86dd, ip6(tcp(100, timestamps))),
    udp6: ethernet(0x86dd, ip6(udp(text(3)))),
    icmp6: ethernet(0x86dd, ip6(icmp6(128, echo6))),
    'icmp6, neighbour': ethernet(0x86dd, ip6(icmp6(135, solicit))),
    'tcp6, extensions': ethernet(0x86dd, ip6(tcp(9), [hopByHop, destinationOptions, routing])),
    'tcp6, authentication': ethernet(0x86dd, ip6(tcp(9), [authentication])),
    'udp6, whole fragment': ethernet(0x86dd, ip6(udp(text(40)), [fragmentHeader(0, false)])),
    'udp6, first fragment': ethernet(
      0x86dd,
      ip6(udp(text(40)), [hopByHop, fragmentHeader(0, true)], piece(0, 32)),
    ),
    'udp6, last fragment': ethernet(0x86dd, ip6(udp(text(40)), [fragmentHeader(4, false)], piece(32, 48))),
    'no next header': ethernet(0x86dd, ip6({ protocol: 59, bytes: () => text(8) })),
    vxlan: ethernet(0x0800, ip4(vxlan(framed(20)))),
    'vxlan, checksum': ethernet(0x0800, ip4(vxlan(framed(21), true))),
    'vxlan6, tagged inside': ethernet(
      0x86dd,
      ip6(vxlan(ethernet(0x86dd, ip6(tcp(8)), [[0x8100, 99]]), true)),
    ),
    gre: ethernet(0x0800, ip4(gre(0x0800, inside4(20)))),
    'gre, all fields': ethernet(
      0x0800,
      ip4(gre(0x0800, inside4(21), { sum: true, key: true, sequence: true })),
    ),
    'gre6 in 4, key': ethernet(0x0800, ip4(gre(0x86dd, ip6(udp(text(9))), { key: true }))),
    'gre, bridged': ethernet(0x86dd, ip6(gre(0x6558, framed(17), { sequence: true }))),
  }).map(([name, bytes]) => [name, Uint8Array.from(bytes)]),
)

/** Frames that say of themselves what they are not: name → the frame, and what must be absent from there on. */
export const lies: Record<string, [frame: Uint8Array, absent: string]> = {}
const lie = (name: string, of: string, absent: string, change: (bytes: Uint8Array) => void): void => {
  const bytes = corpus[of].slice()
  change(bytes)
  lies[name] = [bytes, absent]
}
lie('ip version 5', 'tcp', 'ipv4', b => b.set([0x55], 14))
lie('ip header of 4 words', 'tcp', 'ipv4', b => b.set([0x44], 14))
lie('ip total length shorter than the header', 'tcp', 'ipv4', b => b.set(u16(19), 16))
lie('ip total length past the end', 'tcp', 'ipv4', b => b.set(u16(141), 16))
lie('ip total length within the tcp header', 'tcp', 'tcp', b => b.set(u16(39), 16))
lie('ip header over all of it', 'tcp, padded', 'tcp', b => b.set([0x4a], 14))
lie('tcp data offset of 4 words', 'tcp', 'tcp', b => b.set([0x40], 46))
lie('tcp data offset past the end', 'tcp, padded', 'tcp', b => b.set([0x60], 46))
lie('udp length below 8', 'udp', 'udp', b => b.set(u16(7), 38))
lie('udp length past the end', 'udp', 'udp', b => b.set(u16(40), 38))
lie('ipv6 version 4', 'tcp6', 'ipv6', b => b.set([0x4b], 14))
lie('ipv6 payload past the end', 'tcp6', 'ipv6', b => b.set(u16(133), 18))
lie('ipv6 extension past the end', 'tcp6, extensions', 'tcp', b => b.set([255], 55))
lie('ipv6 fragment of nothing', 'udp6, whole fragment', 'udp', b => b.set(u16(8), 56))
lie('arp with long addresses', 'arp', 'arp', b => b.set([255, 255], 18))
lie('vxlan without a valid identifier', 'vxlan', 'vxlan', b => b.set([0], 42))
lie('gre version 1', 'gre', 'gre', b => b.set([1], 35))
lie('gre with routing', 'gre', 'gre', b => b.set([0x40], 34))
lie('gre fields past the end', 'gre', 'gre', b => {
  b.set(u16(24), 16)
  b.set([0xb0], 34)
})
