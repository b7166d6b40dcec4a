// Stopped half-way through a burst, at any position: nothing is lost but what is counted, and nothing comes twice.
import assert from 'node:assert/strict'
import type { Subscription } from 'rxjs'
import { retry } from 'rxjs/operators'
import { numberOf } from '../frames.js'
import { type ComplianceCheck, check, upTo } from './bench.js'

export const interruptionChecks: readonly ComplianceCheck[] = [
  // Unsubscribed from inside a burst, by whoever gets the result: nothing is lost and nothing comes twice.
  check(
    'mid-burst unsubscribe downstream',
    bench => {
      bench.send(24)
      let running: Subscription | undefined
      running = bench.out.subscribe(value => {
        bench.note(value)
        running?.unsubscribe()
      })
      bench.plane.loop.drain()
      const first = bench.seen.length
      if (!bench.row.regroups) assert.equal(first, bench.form === 'bursts' ? 8 : 1)
      const again = bench.out.subscribe(bench.note)
      bench.settled()
      again.unsubscribe()
      assert.deepEqual(bench.seen, upTo(24))
    },
    row => row.into !== 'sink',
  ),

  // Unsubscribed by the operator's own function, at each position: what was not handed on goes to the next subscription.
  check(
    'mid-burst unsubscribe from the callback',
    bench => {
      for (const at of [0, 3, 7]) {
        const before = bench.seen.length
        bench.send(8, before)
        const running = bench.out.subscribe(bench.note)
        bench.each = packet => {
          if (numberOf(packet) === before + at) running.unsubscribe()
        }
        bench.plane.loop.drain()
        bench.each = () => {}
        const again = bench.out.subscribe(bench.note)
        bench.plane.loop.drain()
        again.unsubscribe()
        // Of single packets, the one in hand counts as delivered.
        const lost = bench.form === 'packets' ? before + at : -1
        assert.deepEqual(
          bench.seen.slice(before),
          upTo(8, before).filter(number => number !== lost),
        )
        if (lost >= 0) return bench.settled()
      }
      bench.settled()
    },
    row => row.calls === true,
  ),

  // The operator's function throws, at each position: it costs that packet, which is counted, and the subscription;
  // with retry() the pipeline goes on behind it.
  check(
    'throwing callback',
    bench => {
      const bad = [0, 5, 7, 8, 23]
      let retries = 0
      bench.each = packet => {
        if (bad.includes(numberOf(packet))) throw new Error('callback')
      }
      const running = bench.out
        .pipe(retry({ delay: () => [++retries], resetOnSuccess: true }))
        .subscribe(bench.note)
      bench.send(24)
      bench.settled()
      running.unsubscribe()
      assert.equal(retries, bad.length)
      assert.deepEqual(
        bench.seen,
        upTo(24).filter(number => !bad.includes(number)),
      )
      assert.equal(bench.from.queue.stats.drops['pipeline-error'], bad.length)
    },
    row => row.calls === true,
  ),
]
