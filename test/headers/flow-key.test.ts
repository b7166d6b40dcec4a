// The key of a flow: which packets have the same, which have not, and what it says to people.
import test from 'ava'
import fc from 'fast-check'
import { FlowKeyReader, KEY_WORDS } from '../../src/headers/index.js'
import { sipHash } from '../../src/headers/sip-hash.js'
import { ipv4, tcp, udp } from '../../src/testing/index.js'
import * as carried from './support/corpus.js'
import { corpus, destinationOptions, ethernet, fragmentHeader, ip6, routing } from './support/corpus.js'
import { mutilated } from './support/mutilated.js'
import { withPacket } from './support/packets.js'

const seed = [1, 2] as const
const both = new FlowKeyReader({ seed })
const directed = new FlowKeyReader({ seed, directed: true })
const keyOf = (frame: Uint8Array, reader = both, around?: number): string =>
  withPacket(frame, packet => [...reader.of(packet).words, reader.hash].join(' '), around)
const said = (frame: Uint8Array, reader = both): string =>
  withPacket(frame, packet => String(reader.of(packet).toKey()))
const changed = (frame: Uint8Array, at: number, ...bytes: number[]): Uint8Array => {
  const copy = Uint8Array.from(frame)
  copy.set(bytes, at)
  return copy
}
/** The frame with its addresses and ports the other way round; `header` is where IP begins. */
function answer(frame: Uint8Array, header: number, [at, size]: [at: number, size: number], ports: number) {
  const copy = Uint8Array.from(frame)
  const move = (to: number, from: number, length: number) => copy.set(frame.subarray(from, from + length), to)
  move(header + at, header + at + size, size)
  move(header + at + size, header + at, size)
  move(ports, ports + 2, 2)
  move(ports + 2, ports, 2)
  return copy
}

test('the hash is HalfSipHash-1-3, by the vectors of Linux', t => {
  const words = new Int32Array(Uint8Array.from({ length: 24 }, (_, i) => i).buffer)
  const hashes = [0, 1, 2, 3, 4, 5, 6].map(count => sipHash(words, count, 0x03020100, 0x07060504) >>> 0)
  t.deepEqual(hashes, [
    ...[0x5814c896, 0x7e059ea6, 0x577999b1, 0x6b28096c],
    ...[0x8b31d501, 0x911bb605, 0x57150ad7],
  ])
})

test('both directions of a flow have one key, and two where they are asked for', t => {
  const there = tcp({ from: '10.0.0.9', to: '10.0.0.2', fromPort: 1024, toPort: 80 })
  const back = tcp({ from: '10.0.0.2', to: '10.0.0.9', fromPort: 80, toPort: 1024 })
  t.is(keyOf(there), keyOf(back))
  t.not(keyOf(there, directed), keyOf(back, directed))
  t.deepEqual(
    [said(there), said(back)],
    ['tcp 10.0.0.9:1024 > 10.0.0.2:80', 'tcp 10.0.0.2:80 > 10.0.0.9:1024'],
  )
  t.is(said(back, directed), said(back))
  const six = Uint8Array.from(corpus.tcp6)
  const sixBack = answer(six, 14, [8, 16], 54)
  t.is(keyOf(six), keyOf(sixBack))
  t.is(said(six), 'tcp [2001:db8::1]:49152 > [2001:db8:ff::ab:ffff]:443')
  t.is(said(sixBack), 'tcp [2001:db8:ff::ab:ffff]:443 > [2001:db8::1]:49152')
})

test('a flow from an address to itself has two directions by its ports', t => {
  const ends = { from: '10.0.0.1', to: '10.0.0.1' }
  t.is(keyOf(udp({ ...ends, fromPort: 5, toPort: 6 })), keyOf(udp({ ...ends, fromPort: 6, toPort: 5 })))
})

test('each part of the key tells flows apart', t => {
  const frames = [
    udp(),
    udp({ from: '10.0.0.3' }),
    udp({ to: '10.0.0.3' }),
    udp({ fromPort: 1 }),
    udp({ toPort: 1 }),
    tcp({ fromPort: 1024, toPort: 9 }),
    ipv4({ protocol: 17 }),
    Uint8Array.from(corpus.udp6),
    ...[8, 20, 24, 36].map(at => changed(Uint8Array.from(corpus.udp6), 14 + at, 0x77)),
  ]
  t.is(new Set(frames.map(frame => keyOf(frame))).size, frames.length)
  t.is(new Set(frames.map(frame => withPacket(frame, packet => both.of(packet).hash))).size, frames.length)
})

test('VLANs tell flows apart unless they are not to; a tag with no VLAN is none', t => {
  const inner = [...udp().subarray(14)]
  const tagged = (...ids: number[]) =>
    Uint8Array.from(
      ethernet(
        0x0800,
        inner,
        ids.map(id => [0x8100, id]),
      ),
    )
  const plain = new FlowKeyReader({ seed, vlan: false })
  t.is(new Set([[], [1], [2], [1, 2], [2, 1]].map(ids => keyOf(tagged(...ids)))).size, 5)
  t.is(new Set([[], [1], [1, 2]].map(ids => keyOf(tagged(...ids), plain))).size, 1)
  t.is(keyOf(tagged(0xe000)), keyOf(tagged()), 'a priority tag')
  t.is(said(tagged(7, 9)), 'udp 10.0.0.1:1024 > 10.0.0.2:9 vlan 7.9')
})

test('all pieces of a datagram are one flow, without ports', t => {
  const pieces = [0x2000, 0x2001, 0x0064].map(fragment =>
    changed(udp({ fromPort: fragment, payload: 'x'.repeat(64) }), 20, fragment >> 8, fragment & 0xff),
  )
  t.is(new Set(pieces.map(piece => keyOf(piece))).size, 1)
  t.is(said(pieces[0]), 'udp 10.0.0.1 > 10.0.0.2 fragments')
  t.not(keyOf(pieces[0]), keyOf(udp({ fromPort: 0, toPort: 0 })), 'not port 0')
  // The first piece shows the datagram's own extension header, later ones only its number.
  const six = (offset: number, more: boolean) =>
    Uint8Array.from(
      ethernet(
        0x86dd,
        ip6(carried.udp(new Array(32).fill(7)), [routing, fragmentHeader(offset, more), destinationOptions]),
      ),
    )
  t.is(keyOf(six(0, true)), keyOf(six(2, true)))
  t.is(keyOf(six(0, true)), keyOf(six(9, false)))
  t.regex(said(six(0, false)), /^udp \[2001:db8::1\]:\d+ > /, 'an atomic fragment is whole (RFC 6946)')
})

test('an echo and its answer are one flow, by its identifier; other ICMP has none', t => {
  const icmp = (type: number, identifier: number) =>
    ipv4({ protocol: 1, payload: Uint8Array.of(type, 0, 0, 0, identifier >> 8, identifier & 255, 0, 1) })
  t.is(keyOf(icmp(8, 700)), keyOf(icmp(0, 700)))
  t.not(keyOf(icmp(8, 700)), keyOf(icmp(8, 701)))
  t.is(keyOf(icmp(3, 700)), keyOf(icmp(3, 701)))
  t.is(said(icmp(8, 700)), 'icmp 10.0.0.1:700 > 10.0.0.2:700')
})

test('SCTP, DCCP and UDP-Lite have ports where their header is whole', t => {
  for (const [protocol, length] of [
    [132, 12],
    [33, 12],
    [136, 8],
  ]) {
    const payload = (size: number) =>
      Uint8Array.from({ length: size }, (_, i) => [0x12, 0x34, 0x56, 0x78][i] ?? 0)
    t.regex(said(ipv4({ protocol, payload: payload(length) })), /10\.0\.0\.1:4660 > 10\.0\.0\.2:22136/)
    t.regex(said(ipv4({ protocol, payload: payload(length - 1) })), /10\.0\.0\.1 > 10\.0\.0\.2$/)
  }
})

test('a lying header has no part in a key: TCP without its ports, IP by its Ethernet addresses', t => {
  t.is(said(changed(tcp(), 46, 0x40)), 'tcp 10.0.0.1 > 10.0.0.2', 'a data offset below 20 bytes')
  t.is(said(changed(udp(), 38, 0xff, 0xff)), 'udp 10.0.0.1 > 10.0.0.2', 'longer than its packet')
  t.is(said(changed(udp(), 14, 0x44)), 'ether-0800 02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff')
  t.is(said(changed(udp(), 16, 0xff, 0xff)), 'ether-0800 02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff')
})

test('a frame cut off anywhere has a key, which its neighbours in memory do not change', t => {
  for (const whole of [corpus['tcp, qinq'], corpus.tcp6, [...udp()]].map(bytes => Uint8Array.from(bytes)))
    for (let length = 0; length <= whole.length; length++) {
      const frame = whole.slice(0, length)
      t.is(keyOf(frame, both, 0), keyOf(frame, both, 0xff), `${length} bytes`)
    }
  t.is(said(new Uint8Array(13)), 'ether-0000  > ')
})

test('without the seed nobody can tell which flows have the same hash', t => {
  const hashes = (reader: FlowKeyReader) =>
    Array.from({ length: 64 }, (_, port) =>
      withPacket(udp({ fromPort: port }), packet => reader.of(packet).hash & 7),
    )
  t.deepEqual(hashes(new FlowKeyReader({ seed })), hashes(both))
  t.notDeepEqual(hashes(new FlowKeyReader()), hashes(new FlowKeyReader()))
})

test('ports spread evenly', t => {
  const counts = [0, 0, 0, 0]
  for (let port = 0; port < 4000; port++)
    counts[withPacket(udp({ fromPort: port }), packet => both.of(packet).hash >>> 30)]++
  for (const count of counts) t.true(count > 800 && count < 1200, `${counts}`)
  t.is(both.words.length, KEY_WORDS)
})

test('mutilated frames have a key, and one of what they quote, by nothing but their own bytes', t => {
  const key = new FlowKeyReader({ seed, firstPieceHasPorts: true })
  const all = (frame: Uint8Array, around: number): unknown =>
    withPacket(
      frame,
      packet => [[...key.of(packet).words], String(key.toKey()), key.quoted() && [...key.words, key.hash]],
      around,
    )
  fc.assert(
    fc.property(mutilated, frame => t.deepEqual(all(frame, 0), all(frame, 0xff))),
    { numRuns: 3000 },
  )
})
