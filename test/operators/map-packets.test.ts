// mapPackets: what it writes, into what, who pays, and what an interruption leaves.
import test from 'ava'
import { merge, type Subscription } from 'rxjs'
import { retry } from 'rxjs/operators'
import { enqueue, filterPackets, mapPackets, tapPackets } from '../../src/operators/index.js'
import type { WritablePacket } from '../../src/packet/writable.js'
import { fakeFromGuest, fakePlane, fakeToGuest, frame, frames, numberOf } from '../../src/testing/index.js'
import { bench, collector, upTo } from './bench.js'

const times10 = (packet: WritablePacket): void => packet.setUint32(14, packet.uint32(14) * 10)

// source:  (0 1 2)
// result:  (0 10 20)
test('writes into copies: other branches of the source see the packets as they were', t => {
  const { queue, run, leases } = bench()
  const [mapped, plain] = [collector(), collector()]
  merge(
    queue.pipe(mapPackets(times10), tapPackets(mapped.note)),
    queue.pipe(tapPackets(plain.note)),
  ).subscribe()
  run(3)
  t.deepEqual(mapped.flat(), [0, 10, 20])
  t.deepEqual(plain.flat(), [0, 1, 2])
  t.is(leases(), 0)
})

test('inPlace writes into the packets themselves, and copies none', t => {
  const { plane, queue, run, leases } = bench()
  const seen = collector()
  let most = 0
  queue
    .pipe(
      mapPackets(times10, { inPlace: true }),
      tapPackets(packet => {
        most = Math.max(most, plane.pool.leases)
        seen.note(packet)
      }),
    )
    .subscribe()
  run(8)
  t.deepEqual(
    seen.flat(),
    upTo(8).map(n => n * 10),
  )
  t.is(most, 8)
  t.is(leases(), 0)
})

test('a copy is paid by its queue: a full sink behind mapPackets stalls the source', t => {
  const { queue, to, run, got, from, leases } = bench({ highWaterMark: 64, burst: 16 }, 0)
  queue.pipe(mapPackets(times10), enqueue(to.sink)).subscribe()
  run(500)
  t.true(from.port.waiting >= 500 - 64 - 16)
  t.true(queue.stats.held <= 64)
  for (let i = 0; i < 100; i++) {
    to.port.post(16)
    run(0)
  }
  t.deepEqual(
    got(),
    upTo(500).map(n => n * 10),
  )
  t.is(leases(), 0)
})

test('without a slot for the copy a packet is dropped as no-slot, and the others pass', t => {
  const plane = fakePlane({ bytes: 1 << 20 })
  const { queue, port } = fakeFromGuest(plane, { size: 4096, burst: 64, highWaterMark: 4096 })
  const seen = collector()
  const hoard: number[] = []
  for (let slot = plane.pool.alloc(64); slot >= 0; slot = plane.pool.alloc(64)) hoard.push(slot)
  for (const slot of hoard.splice(0, 30)) plane.pool.release(slot)
  queue.pipe(mapPackets(times10), tapPackets(seen.note)).subscribe()
  port.send(...frames(64))
  plane.loop.drain()
  const lost = queue.stats.drops['no-slot']
  t.true(lost > 0)
  t.is(seen.flat().length + lost, 64)
  for (const slot of hoard) plane.pool.release(slot)
  t.is(plane.pool.leases, 0)
})

test('the frame grows and shrinks at both ends within its slot, new bytes are zero', t => {
  const { queue, to, run, leases } = bench()
  queue
    .pipe(
      mapPackets(packet => {
        packet.prepend(4)
        packet.set(packet.toBuffer().subarray(4, 16), 0)
        packet.setUint16(12, 0x8100)
        packet.setUint16(14, 5)
        packet.append(2)
        packet.truncate(packet.length - 1)
      }),
      enqueue(to.sink),
    )
    .subscribe()
  run(1)
  const [tagged] = to.port.received
  const plain = frame(0)
  t.is(tagged.length, 64 + 4 + 1)
  t.deepEqual(tagged.subarray(0, 12), plain.subarray(0, 12))
  t.is(tagged.readUInt32BE(12), 0x81000005)
  t.deepEqual(tagged.subarray(16, 68), plain.subarray(12))
  t.is(tagged[68], 0)
  t.is(leases(), 0)
})

test('bytes beyond the slot, outside the frame, or of no number throw, and cost one packet', t => {
  const { plane, queue, run, leases, drops } = bench({ burst: 4 })
  const wrong: ((packet: WritablePacket) => void)[] = [
    p => p.prepend(129),
    p => p.append(4096),
    p => p.truncate(65),
    p => p.trimFront(65),
    p => p.prepend(-1),
    p => p.append(0.5),
    p => p.setUint8(64, 0),
    p => p.setUint16(63, 0),
    p => p.setUint32(-1, 0),
    p => p.set(Buffer.alloc(65)),
    p => p.set(Buffer.alloc(1), 1.5),
  ]
  const errors: unknown[] = []
  let at = 0
  queue
    .pipe(
      mapPackets(packet => wrong[at++](packet)),
      retry({ delay: error => [errors.push(error)] }),
    )
    .subscribe()
  run(wrong.length)
  t.true(errors.every(error => error instanceof RangeError))
  t.is(errors.length, wrong.length)
  t.is(drops()['pipeline-error'], wrong.length)
  t.is(leases(), 0)
  t.is(plane.pool.accounts.bytes(1), 0, 'bytes are charged as they are')
})

test('the virtio-net header is written, and follows the start of the frame', t => {
  const { plane, queue, send, leases } = bench()
  const seen: number[][] = []
  queue
    .pipe(
      mapPackets(({ header }) => {
        header.flags = 1
        header.gsoType = 1
        header.headerLength = 54
        header.gsoSize = 1448
        header.checksumStart = 34
        header.checksumOffset = 16
      }),
      mapPackets(packet => packet.prepend(4)),
      tapPackets(({ header: h }) =>
        seen.push([h.flags, h.headerLength, h.gsoSize, h.checksumStart, h.checksumOffset]),
      ),
      mapPackets(packet => packet.trimFront(40)),
      tapPackets(({ header: h }) => seen.push([h.flags, h.headerLength])),
    )
    .subscribe()
  send(1)
  plane.loop.drain()
  t.deepEqual(seen, [
    [1, 58, 1448, 38, 16],
    [0, 18],
  ])
  t.is(leases(), 0)
})

test('a late use of a writable packet throws', t => {
  for (const strict of [false, true]) {
    const plane = fakePlane({ strict })
    const { queue, port } = fakeFromGuest(plane)
    const late: WritablePacket[] = []
    queue.pipe(mapPackets(packet => late.push(packet))).subscribe()
    port.send(frame())
    plane.loop.drain()
    t.throws(() => late[0].setUint8(0, 1), { code: 'ERR_VHOST_LEASE_ENDED' })
    t.throws(() => late[0].header.flags, { code: 'ERR_VHOST_LEASE_ENDED' })
    t.throws(() => late[0].prepend(1), { code: 'ERR_VHOST_LEASE_ENDED' })
  }
})

test('an error or unsubscription behind copies loses nothing and repeats nothing', t => {
  const { queue, to, run, got, drops, leases } = bench({ burst: 16 })
  const pipeline = queue.pipe(
    mapPackets(() => {}),
    filterPackets(packet => {
      if (numberOf(packet) % 7 === 3) throw new Error('predicate')
      if (numberOf(packet) % 5 === 4) later.shift()?.unsubscribe()
      return true
    }),
    enqueue(to.sink),
    retry(),
  )
  const later: Subscription[] = []
  for (let i = 0; i < 30; i++) {
    later.push(pipeline.subscribe())
    run(10)
    if (later.length === 0) continue
    later.shift()?.unsubscribe()
  }
  const last = pipeline.subscribe()
  run(0)
  last.unsubscribe()
  t.deepEqual(
    got(),
    upTo(300).filter(n => n % 7 !== 3),
  )
  t.is(drops()['pipeline-error'], upTo(300).filter(n => n % 7 === 3).length)
  t.is(leases(), 0)
})

test('copies that a holder keeps outlive their burst', t => {
  const plane = fakePlane()
  const { queue, port } = fakeFromGuest(plane)
  const { sink, port: out } = fakeToGuest(plane)
  queue.pipe(mapPackets(times10), enqueue(sink)).subscribe()
  port.send(...frames(5))
  plane.loop.drain()
  t.is(plane.pool.leases, 5)
  t.is(queue.stats.held, 5)
  out.post(5)
  plane.loop.drain()
  t.deepEqual(out.received.map(numberOf), [0, 10, 20, 30, 40])
  t.is(plane.pool.leases, 0)
})
