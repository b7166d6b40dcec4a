import test from 'ava'
import { NEVER, Subject } from 'rxjs'
import { enqueue, takeUntilAborted, tapPackets } from '../../src/operators/index.js'
import { numberOf } from '../../src/testing/index.js'
import { bench, upTo } from './bench.js'

test('completes when the signal is aborted; the guest keeps the rest', t => {
  const { queue, to, from, run, got, leases } = bench({ burst: 8 })
  const stop = new AbortController()
  let completed = false
  queue
    .pipe(
      tapPackets(packet => {
        if (numberOf(packet) === 15) stop.abort()
      }),
      takeUntilAborted(stop.signal),
      enqueue(to.sink),
    )
    .subscribe({
      complete: () => {
        completed = true
      },
    })
  run(100)
  t.true(completed)
  // Aborted inside a burst: what nobody was given goes to the next subscriber.
  queue.pipe(enqueue(to.sink)).subscribe()
  run(0)
  t.deepEqual(got(), upTo(100))
  t.is(from.port.waiting, 0)
  t.is(leases(), 0)
})

test('aborted already: completes without subscribing', t => {
  const source = new Subject<number>()
  let completed = false
  source.pipe(takeUntilAborted(AbortSignal.abort())).subscribe({
    complete: () => {
      completed = true
    },
  })
  t.true(completed)
  t.false(source.observed)
})

test('forgets the signal when its subscription ends', t => {
  let listeners = 0
  const signal = {
    aborted: false,
    addEventListener: () => listeners++,
    removeEventListener: () => listeners--,
  } as unknown as AbortSignal
  const running = NEVER.pipe(takeUntilAborted(signal)).subscribe()
  t.is(listeners, 1)
  running.unsubscribe()
  t.is(listeners, 0)
})
