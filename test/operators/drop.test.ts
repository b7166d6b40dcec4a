// drop: counts at the queue that each packet came from.
import test from 'ava'
import { merge, of } from 'rxjs'
import { drop, mapPackets, release } from '../../src/operators/index.js'
import type { HeldBurst } from '../../src/packet/burst.js'
import { fakeFromGuest, frames } from '../../src/testing/index.js'
import { bench, marbles } from './bench.js'

test('emits nothing, completes with its source', t => {
  const made = marbles(t, drop(), { source: '--4----1----|', result: '------------|' })
  t.deepEqual(made.drops(), { dropped: 5 })
})

test('is counted by reason, at the queue of each packet', t => {
  const { plane, queue, run, drops, leases } = bench()
  const other = fakeFromGuest(plane)
  merge(queue.pipe(mapPackets(() => {})), other.queue.packets)
    .pipe(drop('mine'))
    .subscribe()
  other.port.send(...frames(7))
  run(10)
  t.deepEqual(drops(), { mine: 10 })
  t.deepEqual(other.queue.stats.drops, { mine: 7 })
  t.is(leases(), 0)
})

test('counts what is dropped after its device has gone', t => {
  const { queue, from, run, drops, leases } = bench()
  const held: HeldBurst[] = []
  queue.subscribe(burst => held.push(burst.retain()))
  run(4)
  from.source.close()
  of(...held)
    .pipe(release(), drop('late'))
    .subscribe()
  t.deepEqual(drops(), { late: 4 })
  t.is(leases(), 0)
})
