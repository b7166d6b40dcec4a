// Borrowed and held packets: when they are valid, in both modes, and what happens on a late use.
import test from 'ava'
import { BURST_PACKETS, type Burst, type HeldBurst } from '../../src/packet/burst.js'
import type { HeldPacket, Packet } from '../../src/packet/packet.js'
import { fakeFromGuest, fakePlane, frame, frames, numberOf } from '../../src/testing/index.js'

const ended = { code: 'ERR_VHOST_LEASE_ENDED' }
const released = { code: 'ERR_VHOST_LEASE_RELEASED' }

for (const strict of [false, true]) {
  const mode = strict ? 'strict' : 'normal'
  const bench = () => {
    const plane = fakePlane({ strict })
    return { plane, ...fakeFromGuest(plane) }
  }

  test(`${mode}: a late use of a borrowed burst always throws`, t => {
    const { plane, queue, port } = bench()
    const late: Burst[] = []
    queue.subscribe(burst => late.push(burst))
    port.sendSame(frame(), 2 * BURST_PACKETS)
    plane.loop.drain()
    t.is(late.length, 2)
    for (const burst of late) {
      t.throws(() => burst.length, ended)
      t.throws(() => burst.bytes, ended)
      t.throws(() => burst.packet(0), ended)
      t.throws(() => [...burst], ended)
      t.throws(() => burst.retain(), ended)
    }
  })

  test(`${mode}: a late use of a borrowed packet throws until its slot is used again`, t => {
    const { plane, queue, port } = bench()
    const late: Packet[] = []
    queue.subscribe(burst => late.push(burst.packet(0)))
    port.send(frame())
    plane.loop.drain()
    const [packet] = late
    for (const use of [
      () => packet.length,
      () => packet.uint8(0),
      () => packet.uint16(0),
      () => packet.uint32(0),
      () => packet.toBuffer(),
      () => packet.equals(frame()),
      () => packet.header,
      () => packet.retain(),
    ])
      t.throws(use, ended)
  })

  test(`${mode}: a held burst outlives its next, has one owner, and throws after release`, t => {
    const { plane, queue, port } = bench()
    const all: HeldBurst[] = []
    queue.subscribe(burst => all.push(burst.retain('test')))
    port.send(...frames(3))
    plane.loop.drain()
    const [held] = all
    const packet = held.packet(1)
    t.deepEqual([...held].map(numberOf), [0, 1, 2])
    t.is(held.bytes, 192)
    const second = held.retain()
    held.release()
    t.throws(() => held.release(), released)
    t.throws(() => held.length, released)
    t.throws(() => held.retain(), released)
    t.is(plane.pool.leases, 3)
    t.is(numberOf(second.packet(1)), 1)
    second[Symbol.dispose]()
    t.is(plane.pool.leases, 0)
    t.throws(() => packet.length, ended)
  })

  test(`${mode}: a held packet outlives its next, has one owner, and throws after release`, t => {
    const { plane, queue, port } = bench()
    const all: HeldPacket[] = []
    queue.packets.subscribe(packet => all.push(packet.retain()))
    port.send(...frames(2))
    plane.loop.drain()
    const [held, other] = all
    other.release()
    t.is(plane.pool.leases, 1)
    const second = held.retain()
    held.release()
    t.throws(() => held.release(), released)
    t.throws(() => held.uint8(0), released)
    t.is(numberOf(second), 0)
    second.release()
    t.is(plane.pool.leases, 0)
  })
}

test('strict: packets are fresh objects, so a late use throws even when someone else holds the slot', t => {
  const plane = fakePlane({ strict: true })
  const { queue, port } = fakeFromGuest(plane)
  const late: Packet[] = []
  const held: HeldPacket[] = []
  queue.packets.subscribe(packet => {
    late.push(packet)
    held.push(packet.retain('keeper'))
  })
  port.send(frame())
  plane.loop.drain()
  t.throws(() => late[0].length, ended)
  t.deepEqual(plane.pool.holding(), { keeper: 1 })
  held[0].release()
  t.deepEqual(plane.pool.holding(), {})
})

test('a packet reads as numbers in network byte order, within its bounds', t => {
  const plane = fakePlane()
  const { queue, port } = fakeFromGuest(plane)
  const bytes = Buffer.from('ffffffff000102030405060708009abcdef0', 'hex')
  port.send(bytes)
  const burst = queue.dequeueBurst()
  const packet = burst.packet(0)
  t.is(packet.length, 18)
  t.is(packet.uint8(4), 0)
  t.is(packet.uint16(12), 0x0800)
  t.is(packet.uint32(14), 0x9abcdef0)
  t.is(packet.uint32(0), 0xffffffff)
  for (const offset of [-1, 15, 18, 1.5, Number.NaN, 2 ** 32, Number.POSITIVE_INFINITY])
    t.throws(() => packet.uint32(offset), { instanceOf: RangeError }, String(offset))
  t.deepEqual(packet.toBuffer(), bytes)
  t.true(packet.equals(bytes))
  t.false(packet.equals(bytes.subarray(1)))
  const target = new Uint8Array(20)
  t.is(packet.copyTo(target, 2), 18)
  t.deepEqual(Buffer.from(target.subarray(2)), bytes)
  t.throws(() => packet.copyTo(target, 3), { instanceOf: RangeError })
  t.throws(() => packet.copyTo(target, -1), { instanceOf: RangeError })
  t.throws(() => burst.packet(1), { instanceOf: RangeError })
  t.deepEqual([packet.header.flags, packet.header.gsoType, packet.header.checksumStart], [0, 0, 0])
  burst.release()
})

test('the virtio-net header is read from its words', t => {
  const plane = fakePlane()
  const { queue, port } = fakeFromGuest(plane)
  port.send(frame())
  const burst = queue.dequeueBurst()
  const { header } = burst.packet(0)
  const slot = plane.pool.meta.indexOf(1, 3) >> 3
  plane.pool.meta.set([0x00420101, 0x002205b4, 0x00010006], slot * 8 + 5)
  t.deepEqual(
    [
      header.flags,
      header.gsoType,
      header.headerLength,
      header.gsoSize,
      header.checksumStart,
      header.checksumOffset,
    ],
    [1, 1, 0x42, 0x5b4, 0x22, 6],
  )
  burst.release()
  t.throws(() => header.flags, ended)
})

test('N7: a copy is the subscriber’s own', t => {
  const plane = fakePlane()
  const { queue, port } = fakeFromGuest(plane)
  port.send(frame(7))
  const burst = queue.dequeueBurst()
  const copy = burst.packet(0).toBuffer()
  copy.fill(0)
  t.is(numberOf(burst.packet(0)), 7)
  burst.release()
  t.true(copy.every(byte => byte === 0))
})
