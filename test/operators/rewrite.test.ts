// rewrite: each change in frames of all kinds, with the checksums, whole or left to be done; what has no hop left; whom the
// change does not reach; and what it says to a spec that is none.
import test from 'ava'
import fc from 'fast-check'
import { merge } from 'rxjs'
import { ipv6Address as address6, HeaderReader, macAddress } from '../../src/headers/index.js'
import type { HeldBurst, Packet } from '../../src/index.js'
import {
  mapPackets,
  mirror,
  type RewriteSpec,
  retain,
  rewrite,
  tapPackets,
} from '../../src/operators/index.js'
import {
  fakeFromGuest,
  fakePlane,
  fakeToGuest,
  frame,
  marbles,
  numberOf,
  tcp,
  udp,
} from '../../src/testing/index.js'
import { corpus, ethernet, icmp, icmp6, ip4, ip6, tcp as tcpBytes } from '../headers/support/corpus.js'
import { bench } from './bench.js'

const reader = new HeaderReader()

/** What comes out for one frame, as `look` sees it, and what was dropped. */
function through<T>(
  frame: Uint8Array,
  spec: Parameters<typeof rewrite>[0],
  look: (packet: Packet) => T,
  header: (packet: Parameters<Parameters<typeof mapPackets>[0]>[0]) => void = () => {},
): { out: T[]; drops: Record<string, number> } {
  const plane = fakePlane()
  const { queue, port } = fakeFromGuest(plane)
  const out: T[] = []
  queue
    .pipe(
      mapPackets(header),
      rewrite(spec),
      tapPackets(p => void out.push(look(p))),
    )
    .subscribe()
  port.send(frame)
  plane.loop.drain()
  if (plane.pool.leases !== 0) throw new Error('leases are left')
  return { out, drops: { ...queue.stats.drops } }
}

const bytesOf = (frame: Uint8Array, spec: Parameters<typeof rewrite>[0]): Buffer =>
  through(frame, spec, p => p.toBuffer()).out[0]

/** The checksums of a frame's headers, and of those inside a tunnel. */
function checksums(packet: Packet): string[] {
  const found: string[] = []
  for (let at: HeaderReader | undefined = reader.of(packet); at !== undefined; at = at.inner) {
    if (at.ipv4) found.push(at.ipv4.headerChecksumStatus)
    for (const header of [at.tcp, at.udp, at.icmp, at.icmpv6]) if (header) found.push(header.checksumStatus)
  }
  return found
}

const all: RewriteSpec = {
  sourceMac: '02:aa:bb:cc:dd:ee',
  destinationMac: 0x02f0f1f2f3f4,
  popVlan: true,
  pushVlan: { identifier: 4000, priority: 5, dropEligible: true, protocol: 0x88a8 },
  decrementTtl: true,
  source: { port: 61000 },
  destination: { port: 61001 },
}
const nat4: RewriteSpec = {
  source: { address: '203.0.113.9', port: 40000 },
  destination: { address: '198.18.0.1', port: 8443 },
}
const nat6: RewriteSpec = {
  source: { address: '2001:db8:5::9', port: 40000 },
  destination: { address: '2001:db8:6::1', port: 8443 },
}

test('a burst stays a burst; what has no hop left is missing in it, and an empty one is not emitted', t => {
  marbles(
    h => {
      const frames = { a: [udp({ timeToLive: 9 }), udp({ timeToLive: 1 })], b: [udp({ timeToLive: 1 })] }
      const { queue } = h.fakeQueue('--a--b--a-|', { frames })
      const hops = rewrite({ decrementTtl: true })
      h.expectBursts(queue.pipe(hops), null, { as: p => p.uint8(22) }).toBe('--x-----x-|', { x: [8] })
      h.expectLeases().toBe('0')
    },
    { equal: t.deepEqual },
  )
  t.pass()
})

test('all checksums are as good as they were, of every kind of frame', t => {
  let seen = 0
  for (const [name, bytes] of Object.entries(corpus))
    for (const spec of [all, nat4, nat6]) {
      const [before] = through(bytes, {}, checksums).out
      const [after] = through(bytes, spec, checksums).out
      // Another port may no longer be that of a tunnel.
      t.deepEqual(after, before.slice(0, after.length), name)
      seen += after.length
    }
  t.true(seen > 100)
})

test('addresses and ports become those of the spec, where the packet has them', t => {
  const ends = (p: Packet): unknown => {
    const { ipv4, ipv6, tcp, udp } = reader.of(p)
    const header = tcp ?? udp
    return [
      ipv4?.sourceEquals(0xcb007109) || ipv6?.sourceEquals(address6('2001:db8:5::9')),
      ipv4?.destinationEquals(0xc6120001) || ipv6?.destinationEquals(address6('2001:db8:6::1')),
      header?.sourcePort,
      header?.destinationPort,
    ]
  }
  for (const name of ['tcp', 'tcp, odd', 'tcp, qinq', 'udp', 'udp, no checksum', 'udp, first fragment'])
    t.deepEqual(through(corpus[name], nat4, ends).out, [[true, true, 40000, 8443]], name)
  for (const name of ['tcp6', 'udp6', 'tcp6, authentication'])
    t.deepEqual(through(corpus[name], nat6, ends).out, [[true, true, 40000, 8443]], name)
  t.deepEqual(through(corpus['udp, last fragment'], nat4, ends).out, [[true, true, undefined, undefined]])
})

test('a packet of the other version, and what is not IP, stay as they are, ports included', t => {
  for (const name of ['tcp6', 'udp6', 'arp', 'not ip'])
    t.deepEqual(bytesOf(corpus[name], nat4), Buffer.from(corpus[name]), name)
  for (const name of ['tcp', 'udp', 'arp', '802.3 length'])
    t.deepEqual(bytesOf(corpus[name], nat6), Buffer.from(corpus[name]), name)
})

test('a port is the identifier of echoes: of requests the source, of replies the destination', t => {
  const identifier = (p: Packet): unknown => (reader.of(p).icmp ?? reader.of(p).icmpv6)?.identifier
  const echo6 = [0x11, 0x11, 0, 5, 1, 2, 3, 4]
  const frames = {
    request4: ethernet(0x0800, ip4(icmp(8, 20))),
    reply4: ethernet(0x0800, ip4(icmp(0, 20))),
    request6: ethernet(0x86dd, ip6(icmp6(128, echo6))),
    reply6: ethernet(0x86dd, ip6(icmp6(129, echo6))),
    other: ethernet(0x0800, ip4(icmp(3, 20))),
  }
  const given = { source: { port: 1 }, destination: { port: 2 } }
  const out = Object.values(frames).map(bytes => {
    const frame = Uint8Array.from(bytes)
    t.deepEqual(through(frame, given, checksums).out, through(frame, {}, checksums).out)
    return through(frame, given, identifier).out[0]
  })
  t.deepEqual(out, [1, 2, 1, 2, 0x1111])
})

test('RFC 1624: the checksum of an echo reply of zeros is good when its identifier becomes 0', t => {
  for (const identifier of [1, 0xffff]) {
    const frame = Uint8Array.from(ethernet(0x0800, ip4(icmp(0, 20)))).fill(0, 34)
    new DataView(frame.buffer).setUint16(36, ~identifier & 0xffff)
    new DataView(frame.buffer).setUint16(38, identifier)
    t.deepEqual(through(frame, {}, checksums).out, [['good', 'good']])
    t.deepEqual(through(frame, { destination: { port: 0 } }, checksums).out, [['good', 'good']])
  }
})

test('there and back again is the same frame', t => {
  const there: RewriteSpec = { ...nat4, pushVlan: { identifier: 9 }, sourceMac: '02:00:00:00:00:99' }
  const back: RewriteSpec = {
    source: { address: '192.0.2.1', port: 49152 },
    destination: { address: '198.51.100.7', port: 443 },
    popVlan: true,
    sourceMac: '02:00:00:00:00:01',
  }
  for (const name of ['tcp', 'tcp, odd', 'tcp, padded', 'tcp, ip options', 'tcp, tag', 'tcp, qinq'])
    t.deepEqual(bytesOf(bytesOf(corpus[name], there), back), Buffer.from(corpus[name]), name)
})

test('checksums by difference are those of a whole sum, for any addresses and ports', t => {
  const address = fc.ipV4()
  const port = fc.nat(65535)
  fc.assert(
    fc.property(address, address, port, port, fc.boolean(), (from, to, fromPort, toPort, isTcp) => {
      const [make, payload] = [isTcp ? tcp : udp, 'some payload!']
      const made = bytesOf(make({ payload }), {
        source: { address: from, port: fromPort },
        destination: { address: to, port: toPort },
      })
      t.deepEqual(made, make({ from, to, fromPort, toPort, payload }))
    }),
    { numRuns: 200 },
  )
})

test('UDP without a checksum stays without one', t => {
  const { out } = through(corpus['udp, no checksum'], nat4, p => reader.of(p).udp?.checksumStatus)
  t.deepEqual(out, ['none'])
})

/** Leaves the checksum of a TCP segment over IPv4 to be done, as a guest does with large segments too. */
function left(packet: Parameters<Parameters<typeof mapPackets>[0]>[0], gso: boolean): void {
  const { header } = packet
  header.flags = 1
  header.checksumStart = 34
  header.checksumOffset = 16
  header.gsoType = gso ? 1 : 0
  header.gsoSize = gso ? 8 : 0
  header.headerLength = 54
  packet.setUint16(50, pseudoSum(packet))
}
function pseudoSum(p: Packet, at = 14): number {
  let sum = 6 + p.uint16(at + 2) - 20
  for (let i = 12; i < 20; i += 2) sum += p.uint16(at + i)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return sum
}

for (const gso of [false, true])
  test(`a checksum left to be done follows the addresses only, and the offsets the tags${gso ? ', with segmentation offload' : ''}`, t => {
    const spec: RewriteSpec = { ...nat4, decrementTtl: true, pushVlan: { identifier: 1 } }
    const look = (p: Packet): unknown => {
      const { header } = p
      t.is(p.uint16(54), pseudoSum(p, 18), 'the sum of the pseudo-header')
      return [header.flags, header.checksumStart, header.checksumOffset, header.gsoType, header.headerLength]
    }
    const pushed = through(tcp({ payload: '0123456789' }), spec, look, p => left(p, gso))
    t.deepEqual(pushed.out, [[1, 38, 16, gso ? 1 : 0, gso ? 58 : 54]])
    const tagged = Uint8Array.from(ethernet(0x0800, ip4(tcpBytes(20)), [[0x8100, 5]]))
    const popped = through(
      tagged,
      { popVlan: true },
      ({ header: h }) => [h.flags, h.checksumStart, h.headerLength],
      ({ header }) => {
        header.flags = 1
        header.checksumStart = 38
        header.checksumOffset = 16
        header.gsoType = gso ? 1 : 0
        header.headerLength = 58
      },
    )
    t.deepEqual(popped.out, [[1, 34, gso ? 54 : 58]])
  })

test('tags: pushed in front, popped from the front, changed where there is one', t => {
  const tags = (p: Packet): unknown => {
    const { vlan, innerVlan, etherType } = reader.of(p)
    const said = (tag: typeof vlan): unknown =>
      tag && [tag.tagProtocolIdentifier, tag.vlanIdentifier, tag.priorityCodePoint, tag.dropEligible]
    return [said(vlan), said(innerVlan), etherType, p.length]
  }
  const of = (name: string, spec: RewriteSpec): unknown => through(corpus[name], spec, tags).out[0]
  const { length } = corpus['tcp, tag']
  const tag = [0x8100, 0x00a, 5, true]
  t.deepEqual(of('tcp, tag', {}), [tag, undefined, 0x0800, length])
  t.deepEqual(of('tcp, tag', { popVlan: true }), [undefined, undefined, 0x0800, length - 4])
  t.deepEqual(of('tcp, tag', { pushVlan: { identifier: 7 } }), [
    [0x8100, 7, 0, false],
    tag,
    0x0800,
    length + 4,
  ])
  t.deepEqual(of('tcp, tag', { setVlan: { identifier: 8 } }), [
    [0x8100, 8, 5, true],
    undefined,
    0x0800,
    length,
  ])
  t.deepEqual(of('tcp, tag', { setVlan: { priority: 1, dropEligible: false, protocol: 0x88a8 } }), [
    [0x88a8, 10, 1, false],
    undefined,
    0x0800,
    length,
  ])
  t.deepEqual(of('tcp, qinq', { popVlan: true }), [
    [0x8100, 0xfff, 0, false],
    undefined,
    0x0800,
    corpus['tcp, qinq'].length - 4,
  ])
  t.deepEqual(of('tcp', { popVlan: true, setVlan: { identifier: 8 } }), [
    undefined,
    undefined,
    0x0800,
    corpus.tcp.length,
  ])
  const swapped = of('tcp, tag', { popVlan: true, pushVlan: { identifier: 7, protocol: 0x88a8 } })
  t.deepEqual(swapped, [[0x88a8, 7, 0, false], undefined, 0x0800, length])
})

test('MAC addresses, as text or as numbers, and nothing else', t => {
  const made = bytesOf(corpus.tcp, {
    sourceMac: '02:aa:bb:cc:dd:ee',
    destinationMac: macAddress('02:f0:f1:f2:f3:f4'),
  })
  t.is(made.toString('hex', 0, 12), '02f0f1f2f3f402aabbccddee')
  t.deepEqual(made.subarray(12), Buffer.from(corpus.tcp.subarray(12)))
})

test('the time to live goes down by one; who has none left is dropped, counted', t => {
  const ttl = (p: Packet): unknown => reader.of(p).ipv4?.timeToLive ?? reader.of(p).ipv6?.hopLimit
  for (const [timeToLive, expected] of [
    [64, [63]],
    [2, [1]],
    [1, []],
    [0, []],
  ] as const) {
    const { out, drops } = through(udp({ timeToLive }), { decrementTtl: true }, ttl)
    t.deepEqual(out, [...expected])
    t.deepEqual(drops, expected.length > 0 ? {} : { 'ttl-expired': 1 })
  }
  t.deepEqual(through(corpus.tcp6, { decrementTtl: true }, ttl).out, [62])
  const last = Uint8Array.from(corpus.tcp6)
  last[14 + 7] = 1
  t.deepEqual(through(last, { decrementTtl: true }, ttl), { out: [], drops: { 'ttl-expired': 1 } })
  t.deepEqual(bytesOf(corpus.arp, { decrementTtl: true }), Buffer.from(corpus.arp))
  t.deepEqual(through(udp({ timeToLive: 1 }), { source: { port: 1 } }, ttl).out, [1])
})

test('of a burst only those with a hop left go on, in order', t => {
  for (const inPlace of [false, true]) {
    const plane = fakePlane()
    const { queue, port } = fakeFromGuest(plane, { burst: 8 })
    const seen: number[][] = []
    queue.pipe(rewrite({ decrementTtl: true }, { inPlace })).subscribe(burst => {
      seen.push([...burst].map(p => p.uint16(36)))
    })
    port.send(...[9, 1, 9, 0, 9].map((timeToLive, n) => udp({ timeToLive, toPort: n })))
    plane.loop.drain()
    t.deepEqual(seen, [[0, 2, 4]])
    t.deepEqual([{ ...queue.stats.drops }, plane.pool.leases], [{ 'ttl-expired': 2 }, 0])
  }
})

test('a frame shorter than its headers passes as it is', t => {
  for (const length of [1, 13, 14, 20]) {
    const cut = corpus.tcp.subarray(0, length)
    t.deepEqual(bytesOf(cut, { ...nat4, decrementTtl: true, popVlan: true }), Buffer.from(cut))
    if (length < 14) t.deepEqual(bytesOf(cut, all), Buffer.from(cut))
  }
})

test('a function says what to change of each packet, and is asked once; undefined: nothing, and no copy', t => {
  const plane = fakePlane()
  const { queue, port } = fakeFromGuest(plane)
  const table = new Map<number, RewriteSpec>([[1000, { source: { address: '192.0.2.1', port: 40000 } }]])
  let asked = 0
  let most = 0
  const seen: number[] = []
  const translate = rewrite(p => {
    asked++
    return table.get(p.uint16(34))
  })
  const look = tapPackets(p => {
    most = Math.max(most, plane.pool.leases)
    seen.push(p.uint32(26), p.uint16(34))
  })
  queue.pipe(translate, look).subscribe()
  port.send(udp({ fromPort: 1000 }), udp({ fromPort: 1001 }))
  plane.loop.drain()
  t.deepEqual(seen, [0xc0000201, 40000, 0x0a000001, 1001])
  t.deepEqual([asked, most, plane.pool.leases], [2, 3, 0])
})

test('who else has the packet keeps what it was given: a mirror, another branch, a holder', t => {
  const plane = fakePlane()
  const { queue, port } = fakeFromGuest(plane)
  const monitor = fakeToGuest(plane, { room: 0 })
  const held: HeldBurst[] = []
  const [plain, changed] = [[] as Buffer[], [] as Buffer[]]
  const original = udp({ timeToLive: 9 })
  queue.pipe(retain()).subscribe(burst => held.push(burst))
  merge(
    queue.pipe(
      mirror(monitor.sink),
      rewrite({ ...nat4, decrementTtl: true }),
      tapPackets(p => changed.push(p.toBuffer())),
    ),
    queue.pipe(tapPackets(p => plain.push(p.toBuffer()))),
  ).subscribe()
  port.send(original, original)
  plane.loop.drain()
  monitor.port.post(2)
  plane.loop.drain()
  const expected = udp({
    from: '203.0.113.9',
    to: '198.18.0.1',
    fromPort: 40000,
    toPort: 8443,
    timeToLive: 8,
  })
  t.deepEqual(changed, [expected, expected])
  t.deepEqual(
    [plain, monitor.port.received],
    [
      [original, original],
      [original, original],
    ],
  )
  t.deepEqual(
    [...held[0]].map(p => p.toBuffer()),
    [original, original],
  )
  held[0].release()
  t.is(plane.pool.leases, 0)
})

test('inPlace changes the packets themselves, and copies none', t => {
  const { plane, queue, run, leases } = bench()
  let most = 0
  const macs: number[] = []
  queue
    .pipe(
      rewrite({ sourceMac: '02:00:00:00:00:99' }, { inPlace: true }),
      tapPackets(p => {
        most = Math.max(most, plane.pool.leases)
        macs.push(p.uint16(10))
      }),
    )
    .subscribe()
  run(8)
  t.deepEqual([macs, most, leases()], [new Array(8).fill(0x0099), 8, 0])
})

test('single packets are rewritten as single packets', t => {
  const plane = fakePlane()
  const { queue, port } = fakeFromGuest(plane)
  const seen: Buffer[] = []
  queue.packets.pipe(rewrite({ decrementTtl: true })).subscribe(p => seen.push(p.toBuffer()))
  port.send(udp({ timeToLive: 5 }), udp({ timeToLive: 1 }))
  plane.loop.drain()
  t.deepEqual(seen, [udp({ timeToLive: 4 })])
  t.deepEqual([{ ...queue.stats.drops }, plane.pool.leases], [{ 'ttl-expired': 1 }, 0])
})

test('a function that returns what is no spec costs its packet and the subscription', t => {
  const { queue, run, drops, leases } = bench({ burst: 4 })
  const errors: Error[] = []
  const seen: number[] = []
  queue
    .pipe(
      rewrite(p => (numberOf(p) === 3 ? { source: { address: 'nowhere' } } : undefined)),
      tapPackets(p => seen.push(numberOf(p))),
    )
    .subscribe({ error: error => errors.push(error) })
  run(4)
  t.deepEqual(seen, [0, 1, 2])
  t.true(errors[0] instanceof TypeError)
  t.deepEqual([drops(), leases()], [{ 'pipeline-error': 1 }, 0])
})

test('without a slot for the copy a packet is dropped as no-slot, and the others pass', t => {
  const plane = fakePlane({ bytes: 1 << 20 })
  const { queue, port } = fakeFromGuest(plane, { size: 4096, burst: 64, highWaterMark: 4096 })
  let passed = 0
  const hoard: number[] = []
  for (let slot = plane.pool.alloc(64); slot >= 0; slot = plane.pool.alloc(64)) hoard.push(slot)
  for (const slot of hoard.splice(0, 30)) plane.pool.release(slot)
  queue
    .pipe(
      rewrite({ sourceMac: 1 }),
      tapPackets(() => passed++),
    )
    .subscribe()
  port.send(...Array.from({ length: 64 }, (_, n) => frame(n)))
  plane.loop.drain()
  t.true(queue.stats.drops['no-slot'] > 0)
  t.is(passed + queue.stats.drops['no-slot'], 64)
  for (const slot of hoard) plane.pool.release(slot)
  t.is(plane.pool.leases, 0)
})

test('a spec with no address, or a number beyond its field, is refused at once', t => {
  const noAddress: RewriteSpec[] = [
    { sourceMac: '02:00' },
    { source: { address: '10.0.0' } },
    { destination: { address: '2001:db8::g' } },
    { pushVlan: {} as never },
  ]
  const noNumber: RewriteSpec[] = [
    { destinationMac: 2 ** 48 },
    { pushVlan: { identifier: 4096 } },
    { setVlan: { priority: 8 } },
    { setVlan: { protocol: -1 } },
    { source: { port: 65536 } },
    { destination: { port: 1.5 } },
  ]
  for (const spec of noAddress) t.throws(() => rewrite(spec), { instanceOf: TypeError }, JSON.stringify(spec))
  for (const spec of noNumber) t.throws(() => rewrite(spec), { instanceOf: RangeError }, JSON.stringify(spec))
})
