// filterPackets where it leaves packets out, and so makes bursts of its own (the compliance suite has all pass).
import test from 'ava'
import { merge, Observable } from 'rxjs'
import { share } from 'rxjs/operators'
import { filterPackets } from '../../src/operators/index.js'
import { type Burst, borrow, coreOf } from '../../src/packet/burst.js'
import { fakeFromGuest, fakePlane, frames, numberOf } from '../../src/testing/index.js'

const numbers = (burst: Burst): number[] => [...burst].map(numberOf)
const even = () => filterPackets<Burst>(packet => numberOf(packet) % 2 === 0)

function bench() {
  const plane = fakePlane()
  return { plane, ...fakeFromGuest(plane, { burst: 4 }) }
}

test('packets that pass come in order; a burst of which none passes is not emitted', t => {
  const { plane, queue, port } = bench()
  const seen: number[][] = []
  queue.pipe(filterPackets(packet => numberOf(packet) % 3 === 0 || numberOf(packet) > 7)).subscribe(burst => {
    seen.push(numbers(burst))
  })
  port.send(...frames(4), ...frames(2, 4), ...frames(2, 7))
  plane.loop.drain()
  t.deepEqual(seen, [[0, 3], [8]])
  t.is(plane.pool.leases, 0)
})

test('its input is not altered: another branch sees all packets', t => {
  const { plane, queue, port } = bench()
  const seen: number[][] = []
  const shared = queue.pipe(share())
  merge(shared.pipe(even()), shared, shared.pipe(even(), even())).subscribe(burst =>
    seen.push(numbers(burst)),
  )
  port.send(...frames(4))
  plane.loop.drain()
  t.deepEqual(seen, [
    [0, 2],
    [0, 1, 2, 3],
    [0, 2],
  ])
})

test('what it emits ends with its next, as any borrow does', t => {
  const { plane, queue, port } = bench()
  const late: Burst[] = []
  queue.pipe(even()).subscribe(burst => late.push(burst))
  port.send(...frames(8))
  plane.loop.drain()
  t.is(late.length, 2)
  for (const burst of late) t.throws(() => burst.length, { code: 'ERR_VHOST_LEASE_ENDED' })
})

test('a burst that it emits is not overwritten by one that comes while it is out', t => {
  const { plane, queue, port } = bench()
  const seen: number[][] = []
  // The inner delivery is another queue's, through the same subscription.
  const other = fakeFromGuest(plane, { burst: 4 })
  other.port.send(...frames(4, 8))
  const held = other.queue.dequeueBurst()
  let nested = (): void => {}
  const inner = new Observable<Burst>(subscriber => {
    nested = () => subscriber.next(borrow(coreOf(held)))
  })
  merge(queue, inner)
    .pipe(even())
    .subscribe(burst => {
      if (burst.packet(0).uint32(14) === 4) nested()
      seen.push(numbers(burst))
    })
  port.send(...frames(8))
  plane.loop.drain()
  t.deepEqual(seen, [
    [0, 2],
    [8, 10],
    [4, 6],
  ])
  held.release()
  t.is(plane.pool.leases, 0)
})

test('a filter behind a filter that throws: what the first left out stays out, nothing else is lost', t => {
  const { plane, queue, port } = bench()
  const seen: number[] = []
  const errors: unknown[] = []
  const bad = filterPackets<Burst>(packet => {
    if (numberOf(packet) === 2) throw new Error('predicate')
    return true
  })
  const run = () =>
    queue
      .pipe(even(), bad)
      .subscribe({ next: burst => seen.push(...numbers(burst)), error: e => errors.push(e) })
  run()
  port.send(...frames(8))
  plane.loop.drain()
  t.is(queue.stats.held, 1)
  run()
  plane.loop.drain()
  t.deepEqual(seen, [0, 4, 6])
  t.is(errors.length, 1)
  t.deepEqual(queue.stats.drops, { 'pipeline-error': 1 })
  t.is(plane.pool.leases, 0)
})
