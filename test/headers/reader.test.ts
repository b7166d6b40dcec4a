// The header reader: the fields of each header, in each form of a packet, and what it does with frames that are cut off
// or lie.
import test from 'ava'
import { formatIpv4, formatMac, HeaderReader, ipv6Address, macAddress } from '../../src/headers/index.js'
import { corpus, lies } from './support/corpus.js'
import { names, type Said, saidBy } from './support/fields.js'
import { forms, rewritten, withPacket } from './support/packets.js'

const reader = new HeaderReader()
const read = (frame: Uint8Array, around?: number): Said =>
  withPacket(frame, packet => saidBy(reader.of(packet)), around)

/** Those of `fields` that `expected` names. */
function has(t: { deepEqual(a: unknown, b: unknown): void }, fields: unknown, expected: object): void {
  const all = (fields ?? {}) as Record<string, unknown>
  t.deepEqual(Object.fromEntries(Object.keys(expected).map(key => [key, all[key]])), expected)
}

test('ethernet and its tags', t => {
  const said = read(corpus['tcp, qinq'])
  has(t, said.ethernet, {
    destinationAddress: macAddress('02:00:00:00:00:02'),
    sourceAddress: macAddress('02:00:00:00:00:01'),
    etherType: 0x88a8,
    offset: 0,
    payloadOffset: 14,
  })
  has(t, said.vlan, {
    tagProtocolIdentifier: 0x88a8,
    priorityCodePoint: 3,
    dropEligible: true,
    vlanIdentifier: 100,
    etherType: 0x8100,
  })
  has(t, said.innerVlan, {
    tagProtocolIdentifier: 0x8100,
    priorityCodePoint: 0,
    dropEligible: false,
    vlanIdentifier: 4095,
    etherType: 0x0800,
    payloadOffset: 22,
  })
  has(t, said.ipv4, { offset: 22 })
  t.is(
    withPacket(corpus['tcp, qinq'], packet => reader.of(packet).etherType),
    0x0800,
  )
})

test('arp', t => {
  has(t, read(corpus['arp, tagged']).arp, {
    hardwareType: 1,
    protocolType: 0x0800,
    operation: 1,
    senderHardwareAddress: macAddress('02:00:00:00:00:01'),
    senderProtocolAddress: 0xc0000201,
    targetHardwareAddress: 0,
    targetProtocolAddress: 0xc6336407,
    length: 28,
  })
  const other = corpus.arp.slice()
  other[15] = 6
  has(t, read(other).arp, { hardwareType: 6, senderHardwareAddress: undefined })
})

test('ipv4, tcp, udp, icmp', t => {
  has(t, read(corpus['tcp, ip options']).ipv4, {
    internetHeaderLength: 6,
    differentiatedServices: 46,
    congestionNotification: 1,
    totalLength: 64,
    identification: 0x1234,
    dontFragment: false,
    timeToLive: 64,
    protocol: 6,
    sourceAddress: 0xc0000201,
    destinationAddress: 0xc6336407,
    headerChecksumStatus: 'good',
    length: 24,
    payloadLength: 40,
  })
  t.is(
    withPacket(corpus['tcp, ip options'], packet => reader.of(packet).ipv4?.optionOffset(148)),
    34,
  )
  has(t, read(corpus['tcp, syn']).tcp, {
    sourcePort: 49152,
    destinationPort: 443,
    sequenceNumber: 0x89abcdef,
    acknowledgmentNumber: 0xfedcba98,
    dataOffset: 10,
    flags: 0xc2,
    window: 64240,
    urgentPointer: 9,
    maximumSegmentSize: 1460,
    checksumStatus: 'good',
    payloadLength: 0,
  })
  has(t, read(corpus['tcp, padded']).tcp, { payloadLength: 0, checksumStatus: 'good' })
  has(t, read(corpus.udp).udp, {
    sourcePort: 5353,
    destinationPort: 53,
    datagramLength: 39,
    payloadLength: 31,
  })
  has(t, read(corpus['udp, no checksum']).udp, { checksum: 0, checksumStatus: 'none' })
  has(t, read(corpus.icmp).icmp, { type: 8, code: 0, identifier: 0x1111, sequenceNumber: 5 })
  has(t, read(corpus.icmp).ipv4, { dontFragment: true, isFragment: false })
})

test('ipv6, its extension headers, icmpv6', t => {
  const said = read(corpus['tcp6, extensions'])
  has(t, said.ipv6, {
    trafficClass: 0xb9,
    flowLabel: 0x12345,
    payloadLength: 77,
    nextHeader: 0,
    hopLimit: 63,
    protocol: 6,
    upperLayerOffset: 14 + 40 + 48,
  })
  t.deepEqual(Object.keys(said.extensions ?? {}), ['0', '43', '60'])
  has(t, (said.extensions as Said)[43], { offset: 78, length: 24, nextHeader: 6, type: 43 })
  has(t, said.tcp, { destinationPort: 443, checksumStatus: 'good' })
  withPacket(corpus.icmp6, packet => {
    const { ipv6, icmpv6 } = reader.of(packet)
    t.is(icmpv6?.type, 128)
    t.is(icmpv6?.checksumStatus, 'good')
    t.true(ipv6?.sourceEquals(ipv6Address('2001:db8::1')))
    t.false(ipv6?.destinationEquals(ipv6Address('2001:db8::1')))
    const target = new Uint8Array(20)
    ipv6?.copyDestination(target, 2)
    t.deepEqual(target.subarray(2, 18), ipv6Address('2001:db8:ff::ab:ffff'))
    t.is(ipv6?.sourceWord(0), 0x20010db8)
    t.is(ipv6?.destinationWord(3), 0x00abffff)
  })
})

test('the first fragment has a transport header, later ones have none, and neither has a checksum to check', t => {
  const first = read(corpus['udp, first fragment'])
  has(t, first.ipv4, { moreFragments: true, fragmentOffset: 0, isFragment: true })
  has(t, first.udp, { datagramLength: 108, checksumStatus: 'unverified' })
  const last = read(corpus['udp, last fragment'])
  has(t, last.ipv4, {
    moreFragments: false,
    fragmentOffset: 8,
    isFragment: true,
    headerChecksumStatus: 'good',
  })
  t.is(last.udp, undefined)
  const first6 = read(corpus['udp6, first fragment'])
  has(t, first6.fragment, {
    moreFragments: true,
    fragmentOffset: 0,
    identification: 0xdeadbeef,
    nextHeader: 17,
  })
  has(t, first6.udp, { checksumStatus: 'unverified' })
  const last6 = read(corpus['udp6, last fragment'])
  has(t, last6.fragment, { moreFragments: false, fragmentOffset: 4 })
  has(t, last6.ipv6, { protocol: undefined })
  t.is(last6.udp, undefined)
  has(t, read(corpus['udp6, whole fragment']).udp, { checksumStatus: 'good' })
})

test('vxlan and gre, and what is inside', t => {
  const said = read(corpus['vxlan, checksum'])
  has(t, said.udp, { destinationPort: 4789, checksumStatus: 'good' })
  has(t, said.vxlan, { networkIdentifier: 0x012345, flags: 8, offset: 42 })
  has(t, (said.inner as Said).ipv4, { offset: 64, headerChecksumStatus: 'good' })
  has(t, (said.inner as Said).udp, { payloadLength: 21, checksumStatus: 'good' })
  const { gre, inner } = read(corpus['gre, all fields'])
  has(t, gre, {
    protocolType: 0x0800,
    key: 0xcafe0001,
    sequenceNumber: 0xfffffff0,
    checksumStatus: 'good',
    length: 16,
  })
  t.is((inner as Said).ethernet, undefined)
  has(t, (inner as Said).tcp, { checksumStatus: 'good', payloadLength: 21 })
  const bare = read(corpus.gre)
  has(t, bare.gre, { key: undefined, sequenceNumber: undefined, checksum: undefined, checksumStatus: 'none' })
  has(t, (read(corpus['gre, bridged']).inner as Said).ethernet, { etherType: 0x0800 })
  withPacket(corpus.vxlan, packet => t.is(new HeaderReader({ vxlanPort: 8472 }).of(packet).vxlan, undefined))
})

test('a tunnel in a tunnel in a tunnel … ends', t => {
  let frame = [...corpus.udp]
  const wrap = (inside: number[]): number[] => {
    const head = [...corpus.vxlan.subarray(0, 50)]
    head.splice(16, 2, (36 + inside.length) >> 8, (36 + inside.length) & 255)
    head.splice(38, 2, (16 + inside.length) >> 8, (16 + inside.length) & 255)
    return [...head, ...inside]
  }
  for (let i = 0; i < 8; i++) frame = wrap(frame)
  withPacket(Uint8Array.from(frame), packet => {
    let depth = 0
    for (let at: HeaderReader | undefined = reader.of(packet); at; at = at.inner) depth++
    t.is(depth, 5)
  })
})

for (const [form, use] of Object.entries(forms))
  test(`a ${form} packet reads like any other`, t => {
    for (const frame of Object.values(corpus)) {
      const expected = read(frame)
      use(frame, packet => t.deepEqual(saidBy(reader.of(packet)), expected))
    }
  })

test('a view ends with its packet', t => {
  const late = { code: 'ERR_VHOST_LEASE_ENDED' }
  const { tcp } = withPacket(corpus.tcp, packet => ({ tcp: reader.of(packet).tcp }))
  t.throws(() => tcp?.sourcePort, late)
  // Nor does what is absent pass for something that is known.
  for (const name of names) t.throws(() => reader[name], late)
  t.throws(() => reader.inner, late)
  t.throws(() => reader.etherType, late)
  withPacket(corpus.tcp, packet => {
    const held = packet.retain()
    const view = reader.of(held).ipv4
    held.release()
    t.throws(() => view?.protocol, { code: 'ERR_VHOST_LEASE_RELEASED' })
    t.throws(() => reader.tcp, { code: 'ERR_VHOST_LEASE_RELEASED' })
    t.throws(() => reader.of(held), { code: 'ERR_VHOST_LEASE_RELEASED' })
  })
})

test('a view of a header that the next packet has not throws, and reads nothing of that packet', t => {
  withPacket(corpus['tcp6, extensions'], first => {
    const { tcp, ipv6, vlan } = reader.of(first)
    const extension = ipv6?.extension(0)
    t.is(vlan, undefined)
    withPacket(corpus.arp, second => {
      reader.of(second)
      t.throws(() => tcp?.sourcePort, { instanceOf: RangeError })
      t.throws(() => ipv6?.hopLimit, { instanceOf: RangeError })
      t.throws(() => ipv6?.extension(0), { instanceOf: RangeError })
      t.throws(() => extension?.nextHeader, { instanceOf: RangeError })
    })
  })
})

test('a checksum that the guest left to be done is partial, and one around it can not be told', t => {
  const status = (frame: Uint8Array, checksumStart: number, read: () => unknown): void => {
    rewritten(frame, packet => {
      packet.header.flags = 1
      packet.header.checksumStart = checksumStart
      reader.of(packet)
      t.is(read(), checksumStart === 34 ? 'partial' : 'unverified')
    })
  }
  status(corpus.tcp, 34, () => reader.tcp?.checksumStatus)
  status(corpus['vxlan, checksum'], 34, () => reader.udp?.checksumStatus)
  status(corpus['vxlan, checksum'], 84, () => reader.udp?.checksumStatus)
})

for (const [name, [frame, absent]] of Object.entries(lies))
  test(`reads as absent: ${name}`, t => {
    const said = read(frame)
    t.is(said[absent], undefined)
    // All before it is there.
    const chain = [
      'ethernet',
      ...(said.ipv4 ? ['ipv4'] : said.ipv6 ? ['ipv6'] : []),
      ...(said.udp ? ['udp'] : []),
    ]
    t.deepEqual(
      Object.keys(said).filter(key => key !== 'extensions' && key !== 'fragment'),
      chain,
    )
  })

test('a frame cut off anywhere has the headers that are whole, with the same fields', t => {
  for (const [name, frame] of Object.entries(corpus))
    for (let length = 0; length <= frame.length; length++) {
      const said = read(frame.subarray(0, length))
      const whole = read(frame)
      t.deepEqual(said.ethernet, length < 14 ? undefined : whole.ethernet, name)
      t.deepEqual(said, read(frame.subarray(0, length), 0), `${name}, ${length} bytes`)
      // IP says how long it is: cut off, it is absent, and so is all behind it.
      const [ip, bytes] = whole.ipv6
        ? ([whole.ipv6, 40 + Number(whole.ipv6.payloadLength)] as const)
        : ([whole.ipv4, Number(whole.ipv4?.totalLength)] as const)
      if (ip)
        t.is(Boolean(said.ipv4 ?? said.ipv6), length >= Number(ip.offset) + bytes, `${name}, ${length} bytes`)
      for (const key of ['tcp', 'udp', 'icmp', 'icmpv6', 'gre', 'vxlan', 'inner'])
        if (said[key]) t.deepEqual(said[key], whole[key], `${name}, ${length} bytes: ${key}`)
    }
})

test('an address is equal to itself, and to no other in any bit', t => {
  withPacket(corpus.tcp, packet => {
    const { ethernet, ipv4 } = reader.of(packet)
    if (!ethernet || !ipv4) return t.fail()
    for (const [view, bits] of [[ethernet, 48] as const, [ipv4, 32] as const]) {
      t.true(view.sourceEquals(view.sourceAddress) && view.destinationEquals(view.destinationAddress))
      for (let bit = 0; bit < bits; bit++) {
        const other = (address: number): number =>
          Math.floor(address / 2 ** bit) % 2 === 0 ? address + 2 ** bit : address - 2 ** bit
        t.false(view.sourceEquals(other(view.sourceAddress)))
        t.false(view.destinationEquals(other(view.destinationAddress)))
      }
    }
  })
})

test('addresses as text', t => {
  t.is(formatIpv4(0xc0000201), '192.0.2.1')
  t.is(formatMac(macAddress('fe:dc:ba:98:76:54')), 'fe:dc:ba:98:76:54')
  t.throws(() => macAddress('02:00:00:00:00'), { instanceOf: TypeError })
})

// A guest that leaves segmentation to its device may write 0 into the length fields, or the length of a segment.
for (const [name, at, header] of [
  ['tcp', 14 + 2, 'tcp'],
  ['tcp6', 14 + 4, 'tcp'],
  ['udp', 14 + 20 + 4, 'udp'],
] as const)
  for (const length of [0, 44])
    test(`${name} with segmentation offload and a length of ${length}: the lengths are those of the frame`, t => {
      const frame = corpus[name]
      const bytes = Uint8Array.from(frame)
      new DataView(bytes.buffer).setUint16(at, length)
      rewritten(bytes, packet => {
        if (length === 0) t.is(reader.of(packet)[header], undefined, 'without segmentation, 0 is no length')
        packet.header.gsoType = { tcp: 1, tcp6: 4, udp: 3 }[name]
        const { ipv4, tcp, udp } = reader.of(packet)
        t.truthy(header === 'tcp' ? tcp : udp)
        if (ipv4) t.is(ipv4.payloadLength, frame.length - 14 - 20)
        if (tcp) t.is(tcp.payloadLength, frame.length - tcp.offset - tcp.length)
        if (udp) t.is(udp.payloadLength, frame.length - udp.offset - udp.length)
      })
    })
