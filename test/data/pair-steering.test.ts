// The hash of a flow, and the pair that it belongs to.
import test from 'ava'
import { FlowTable, type FrameBytes, flowHash } from '../../src/data/pair-steering.js'
import { SLOT_LENGTH, SLOT_OFFSET, SLOT_WORDS } from '../../src/packet/packet.js'
import { udp } from '../support/frames.js'

const hash = (frame: Uint8Array): number => flowHash(Uint8Array.of(9, 9, ...frame, 7, 7), 2, frame.length)

const ipv6 = (next: number, from: number, to: number, ends: [number, number] = [1, 2]): Uint8Array => {
  const frame = new Uint8Array(80)
  frame.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, next, 64])
  frame[14 + 8 + 15] = ends[0]
  frame[14 + 24 + 15] = ends[1]
  frame.set([from >> 8, from & 255, to >> 8, to & 255], 54)
  return frame
}
const tagged = (frame: Uint8Array, ...tags: number[]): Uint8Array =>
  Uint8Array.of(
    ...frame.slice(0, 12),
    ...tags.flatMap(tag => [tag >> 8, tag & 255, 0, 5]),
    ...frame.slice(12),
  )

test('both directions of a flow have one hash, and another port has another', t => {
  t.is(hash(udp(1000, 2000)), hash(udp(2000, 1000)))
  t.not(hash(udp(1000, 2000)), hash(udp(1001, 2000)))
  t.is(hash(ipv6(6, 5, 6, [1, 2])), hash(ipv6(6, 6, 5, [2, 1])))
  t.not(hash(ipv6(6, 5, 6)), hash(ipv6(6, 5, 7)))
  t.not(hash(ipv6(6, 5, 6)), hash(ipv6(17, 5, 6)))
})

test('one VLAN tag, or two, do not change the hash', t => {
  t.is(hash(tagged(udp(1000, 2000), 0x8100)), hash(udp(1000, 2000)))
  t.is(hash(tagged(udp(1000, 2000), 0x88a8, 0x8100)), hash(udp(1000, 2000)))
  t.not(hash(tagged(udp(1000, 2000), 0x8100)), hash(tagged(udp(1000, 2001), 0x8100)))
})

test('all fragments of a packet have one hash, with or without ports', t => {
  const first = udp(1000, 2000)
  first[20] = 0x20
  const second = udp(77, 88)
  second[21] = 185
  t.is(hash(first), hash(second))
})

test('a frame that is not IP has the hash of its Ethernet addresses, the same in both directions', t => {
  const arp = (from: number, to: number) =>
    Uint8Array.of(2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, 8, 6, ...new Uint8Array(46))
  t.is(hash(arp(1, 2)), hash(arp(2, 1)))
  t.not(hash(arp(1, 2)), hash(arp(1, 3)))
})

test('a frame cut off anywhere has a hash, which bytes behind it do not change', t => {
  for (const whole of [udp(1000, 2000), ipv6(6, 5, 6), tagged(udp(1, 2), 0x88a8, 0x8100)])
    for (let length = 14; length <= whole.length; length++) {
      const frame = whole.slice(0, length)
      const behind = (fill: number) =>
        flowHash(Uint8Array.of(...frame, ...new Uint8Array(64).fill(fill)), 0, length)
      t.is(behind(0), behind(255), `${length} bytes`)
    }
})

test('ports spread evenly over four pairs', t => {
  const counts = [0, 0, 0, 0]
  for (let port = 0; port < 4000; port++) counts[hash(udp(port, 80)) >>> 30]++
  for (const count of counts) t.true(count > 800 && count < 1200, `${counts}`)
})

function frames(...all: Uint8Array[]): FrameBytes & { ids: Uint32Array } {
  const bytes = new Uint8Array(all.length * 128)
  const meta = new Uint32Array(all.length * SLOT_WORDS)
  all.forEach((frame, i) => {
    bytes.set(frame, i * 128)
    meta[i * SLOT_WORDS + SLOT_OFFSET] = i * 128
    meta[i * SLOT_WORDS + SLOT_LENGTH] = frame.length
  })
  return { bytes, meta, ids: Uint32Array.from(all.keys()) }
}

test('a flow belongs to the pair that the guest sent it on last, as long as that one runs', t => {
  const table = new FlowTable()
  const pool = frames(udp(1, 2), udp(2, 1), udp(3, 4))
  const all = [0, 1, 2, 3]
  const spread = table.pairOf(pool, 0, all)
  t.is(table.pairOf(pool, 1, all), spread, 'unknown: by its number')
  const other = all.find(pair => pair !== spread) as number
  table.learn(pool, pool.ids.subarray(0, 1), 1, other)
  t.is(table.pairOf(pool, 1, all), other, 'known, for the way back too')
  t.is(
    table.pairOf(
      pool,
      1,
      all.filter(pair => pair !== other),
    ) === other,
    false,
  )
  table.learn(pool, pool.ids.subarray(1, 2), 1, spread)
  t.is(table.pairOf(pool, 0, all), spread, 'moved')
  t.deepEqual([table.pairOf(pool, 2, [2]), table.pairOf(pool, 0, [3])], [2, 3])
})
