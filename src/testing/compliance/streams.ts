// An operator as any RxJS operator: what it makes of a source that is silent, ends, fails, or is subscribed twice.
import assert from 'node:assert/strict'
import { merge, Subscription, share, throwError } from 'rxjs'
import { concatWith, take } from 'rxjs/operators'
import { Burst } from '../../packet/burst.js'
import { numberOf } from '../frames.js'
import { type ComplianceCheck, check, type Item, upTo } from './bench.js'

export const streamChecks: readonly ComplianceCheck[] = [
  // A source that never emits: nothing comes out, and unsubscribing ends it all.
  check('never', bench => {
    const running = bench.out.subscribe(bench.note)
    bench.plane.loop.drain()
    running.unsubscribe()
    assert.deepEqual(bench.seen, [])
    bench.settled()
  }),

  // A source that completes at once: so does the result, without a value.
  check('empty', bench => {
    let completed = 0
    bench.out.subscribe({ next: bench.note, complete: () => completed++ })
    bench.from.source.close()
    bench.settled()
    assert.deepEqual([bench.seen, completed], [[], 1])
  }),

  // Packets pass in order, the result completes with its source, and each lease is released exactly once: a second
  // release of a slot throws in the pool, a missing one is left over.
  check('everything passes, leases are released exactly once', bench => {
    let completed = 0
    bench.out.subscribe({ next: bench.note, complete: () => completed++ })
    for (let first = 0; first < 200; first += 20) {
      bench.send(20, first)
      bench.plane.loop.drain()
    }
    bench.from.source.close()
    bench.settled()
    assert.deepEqual([bench.seen, completed], [upTo(200), 1])
  }),

  // An error of the source arrives once, as it is, after what came before.
  check('error', bench => {
    const failure = new Error('upstream')
    const errors: unknown[] = []
    bench.send(8)
    const failing = bench.source.pipe(
      take(bench.form === 'bursts' ? 1 : 8),
      concatWith(throwError(() => failure)),
    )
    failing.pipe(bench.operator).subscribe({ next: bench.note, error: error => errors.push(error) })
    bench.settled()
    assert.deepEqual([bench.seen, errors], [upTo(8), [failure]])
  }),

  // Unsubscribed before the first turn: the guest's packets stay in its ring, and the next subscription gets them.
  check('early unsubscribe', bench => {
    bench.send(8)
    bench.out.subscribe(bench.note).unsubscribe()
    bench.plane.loop.drain()
    assert.equal(bench.from.port.calls.dequeue, 0)
    assert.equal(bench.from.port.waiting, 8)
    const running = bench.out.subscribe(bench.note)
    bench.settled()
    running.unsubscribe()
    assert.deepEqual(bench.seen, upTo(8))
  }),

  // State is per subscription: one operator in two pipelines does in each what it would do alone.
  check('one instance subscribed twice', bench => {
    const running = merge(bench.out, bench.out).subscribe(bench.note)
    bench.send(16)
    bench.settled()
    running.unsubscribe()
    const twice = upTo(16).flatMap(number => [number, number])
    assert.deepEqual(
      [...bench.seen].sort((a, b) => a - b),
      twice,
    )
  }),

  // Behind a share(), the branches before and behind the operator's see all packets, unaltered and in order, whatever
  // it does with its own.
  check('multicasting', bench => {
    const shared = bench.source.pipe(share())
    const before: number[] = []
    const behind: number[] = []
    const noteIn = (seen: number[]) => (item: Item) => {
      for (const packet of item instanceof Burst ? item : [item]) seen.push(numberOf(packet))
    }
    const running = new Subscription()
    running.add(shared.subscribe(noteIn(before)))
    running.add(shared.pipe(bench.operator).subscribe(bench.note))
    running.add(shared.subscribe(noteIn(behind)))
    bench.send(24)
    bench.settled()
    running.unsubscribe()
    assert.deepEqual([before, bench.seen, behind], [upTo(24), upTo(24), upTo(24)])
  }),
]
