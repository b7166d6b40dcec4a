// detach: copies of one's own, which owe nothing to anyone.
import test from 'ava'
import { map } from 'rxjs/operators'
import { TestScheduler } from 'rxjs/testing'
import { detach } from '../../src/operators/index.js'
import type { DetachedBurst } from '../../src/packet/detached.js'
import { frame, numberOf } from '../../src/testing/index.js'
import { bench, upTo } from './bench.js'

test('emits what it got, when it got it, and completes with it', t => {
  const { run, plane, from, queue } = bench()
  new TestScheduler((actual, expected) => t.deepEqual(actual, expected)).run(({ cold, expectObservable }) => {
    cold('-2--1-|').subscribe({
      next: count => run(Number(count)),
      complete: () => from.source.close(),
    })
    const numbers: number[][] = []
    queue.pipe(detach()).subscribe({ next: burst => numbers.push([...burst].map(numberOf)) })
    const lengths = queue.pipe(
      detach(),
      map(packets => packets.length),
    )
    expectObservable(lengths).toBe('-a--b-|', { a: 2, b: 1 })
    cold('------|').subscribe({ complete: () => t.deepEqual(numbers, [[0, 1], [2]]) })
  })
  t.is(plane.pool.leases, 0)
})

test('the copies outlive their burst, its slots and its device, and take no credit', t => {
  const { queue, run, from, leases } = bench({ highWaterMark: 16 })
  const all: ReturnType<typeof numberOf>[] = []
  const kept: { toBuffer(): Buffer; uint32(offset: number): number; length: number }[] = []
  queue.pipe(detach()).subscribe(packets => kept.push(...packets))
  run(1000)
  t.is(leases(), 0)
  from.source.close()
  for (const packet of kept) all.push(numberOf(packet))
  t.deepEqual(all, upTo(1000))
  t.deepEqual(kept[999].toBuffer(), frame(999))
  t.is(kept[0].length, 64)
  t.throws(() => kept[0].uint32(61), { instanceOf: RangeError })
})

test('a burst of copies has every byte, whichever way it was copied, and is walked as often as one likes', t => {
  const { queue, plane, from } = bench()
  const kept: DetachedBurst[] = []
  queue.pipe(detach()).subscribe(burst => kept.push(burst))
  const sent = [0, 1, 60, 63, 255, 256, 257, 1514, 9001].map(length =>
    Buffer.from(Array.from({ length }, (_, i) => (i * 7 + length) & 0xff)),
  )
  for (const first of [0, 1]) {
    from.port.send(...sent.slice(first))
    plane.loop.drain()
  }
  kept.forEach((burst, first) => {
    const expected = sent.slice(first)
    t.is(burst.length, expected.length)
    t.is(burst.bytes, Buffer.concat(expected).length)
    for (let round = 0; round < 2; round++)
      t.deepEqual(
        [...burst].map(packet => packet.toBuffer()),
        expected,
      )
    t.true(burst.packet(2).equals(expected[2]))
    for (const index of [-1, expected.length, Number.NaN])
      t.throws(() => burst.packet(index), { instanceOf: RangeError })
  })
  t.is(kept.length, 2)
})

test('the header comes along', t => {
  const { plane, queue, send } = bench()
  send(1)
  const burst = queue.dequeueBurst()
  const slot = plane.pool.meta.indexOf(1, 3) >> 3
  plane.pool.meta.set([0x00420101, 0x002205b4, 0x00010006], slot * 8 + 5)
  burst.release()
  let flags = -1
  queue.packets.pipe(detach()).subscribe(packet => {
    flags = packet.header.flags
  })
  send(1)
  plane.loop.drain()
  t.is(flags, 0)
})
