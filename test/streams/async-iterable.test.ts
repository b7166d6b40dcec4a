// Bursts in a `for await`: the loop's pace is the guest's, and no way out of the loop leaves a lease behind.
import test from 'ava'
import { concatWith, throwError } from 'rxjs'
import { take } from 'rxjs/operators'
import { retain } from '../../src/operators/index.js'
import type { HeldBurst } from '../../src/packet/burst.js'
import { toAsyncIterable } from '../../src/streams/index.js'
import { numberOf } from '../../src/testing/index.js'
import { allBack, BURST, bench, CREDIT, read, upTo } from './bench.js'

test('a slow body: everything in order, within the credit, and the guest waits', async t => {
  const it = bench()
  const seen: number[] = []
  const waiting: number[] = []
  const loop = (async () => {
    for await (const burst of toAsyncIterable(it.queue)) {
      waiting.push(it.from.port.waiting)
      await read(burst, seen)
      if (seen.length === 1000) break
    }
  })()
  it.send(1000)
  await it.pass(loop)
  t.deepEqual(seen, upTo(1000))
  t.is(it.most(), CREDIT)
  t.true(waiting[0] >= 1000 - CREDIT)
  t.is(it.leases(), 0)
})

for (const way of ['break', 'throw', 'return'] as const)
  test(`${way} releases what waits and what the loop has`, async t => {
    const it = bench()
    it.send(200)
    let last: HeldBurst | undefined
    const loop = (async () => {
      for await (const burst of toAsyncIterable(it.queue)) {
        last = burst
        await it.pass()
        if (way === 'throw') throw new Error('body')
        if (way === 'return') return
        break
      }
    })()
    if (way === 'throw') await t.throwsAsync(it.pass(loop), { message: 'body' })
    else await it.pass(loop)
    // Those that were dequeued for the loop are gone with it; the guest has the rest.
    await allBack(t, it, CREDIT, 200)
    const burst = last as unknown as HeldBurst
    t.throws(() => burst.length, { code: 'ERR_VHOST_LEASE_RELEASED', message: /end of the stream/ })
    t.notThrows(() => burst.release())
    t.throws(() => burst.release(), { code: 'ERR_VHOST_LEASE_RELEASED' })
  })

test('what was retained outlives the loop', async t => {
  const it = bench()
  it.send(20)
  let own: HeldBurst | undefined
  const loop = (async () => {
    for await (const burst of toAsyncIterable(it.queue)) {
      own = burst.retain()
      break
    }
  })()
  await it.pass(loop)
  t.deepEqual([...(own as unknown as HeldBurst)].map(numberOf), upTo(BURST))
  ;(own as unknown as HeldBurst).release()
  t.is(it.leases(), 0)
})

test('aborted: the step that waits throws the reason, and all is released', async t => {
  const it = bench()
  const stop = new AbortController()
  const steps = toAsyncIterable(it.queue, { signal: stop.signal })[Symbol.asyncIterator]()
  it.send(BURST)
  const first = await it.pass(steps.next())
  t.is(first.value?.length, BURST)
  const second = steps.next()
  const reason = new Error('enough')
  stop.abort(reason)
  t.is(await t.throwsAsync(it.pass(second)), reason)
  t.is(it.leases(), 0)
  t.like(await steps.next(), { done: true })
  it.send(BURST)
  await allBack(t, it, BURST, 2 * BURST)
})

test('aborted while bursts wait: the next step throws', async t => {
  const it = bench()
  const stop = new AbortController()
  const steps = toAsyncIterable(it.queue, { signal: stop.signal })[Symbol.asyncIterator]()
  it.send(100)
  await it.pass(steps.next())
  stop.abort()
  // The loop may finish with the one that it has.
  t.is(it.leases(), it.from.source.unseen + BURST)
  await t.throwsAsync(steps.next(), { any: true, name: 'AbortError' })
  t.is(it.leases(), it.from.source.unseen)
})

test('aborted before the first step: nobody subscribes', async t => {
  const it = bench()
  it.send(10)
  const steps = toAsyncIterable(it.queue, { signal: AbortSignal.abort() })[Symbol.asyncIterator]()
  await t.throwsAsync(it.pass(steps.next()), { any: true, name: 'AbortError' })
  t.is(it.from.port.calls.dequeue, 0)
})

test('the end of the source comes after what it gave, which stays the loop’s own', async t => {
  const it = bench()
  it.send(100)
  const kept: HeldBurst[] = []
  const loop = (async () => {
    for await (const burst of toAsyncIterable(it.queue.pipe(take(3)))) kept.push(burst)
  })()
  await it.pass(loop)
  t.deepEqual(
    kept.flatMap(burst => [...burst].map(numberOf)),
    upTo(3 * BURST),
  )
  for (const burst of kept) burst.release()
  await allBack(t, it, 3 * BURST, 100)
})

test('an error of the source comes after what it gave', async t => {
  const it = bench()
  it.send(100)
  const failure = new Error('source')
  const seen: number[] = []
  const source = it.queue.pipe(take(3), concatWith(throwError(() => failure)))
  const loop = (async () => {
    for await (const burst of toAsyncIterable(source)) await read(burst, seen)
  })()
  t.is(await t.throwsAsync(it.pass(loop)), failure)
  t.deepEqual(seen, upTo(3 * BURST))
  await allBack(t, it, 3 * BURST, 100)
})

test('steps asked for at once get bursts in order, and the end', async t => {
  const it = bench()
  const steps = toAsyncIterable(it.queue)[Symbol.asyncIterator]()
  const asked = [steps.next(), steps.next(), steps.next()]
  it.send(BURST + 1)
  await it.pass()
  const ended = steps.return?.()
  const results = await it.pass(Promise.all(asked))
  t.deepEqual(
    results.map(({ done }) => done),
    [false, false, true],
  )
  t.like(await ended, { done: true })
  t.is(it.leases(), 0)
})

test('each loop subscribes anew, at its first step, and `await using` ends it', async t => {
  const it = bench()
  const bursts = toAsyncIterable(it.queue)
  it.send(10)
  await it.pass()
  t.is(it.from.port.calls.dequeue, 0)
  {
    const steps = bursts[Symbol.asyncIterator]() as AsyncIterator<HeldBurst> & AsyncDisposable
    await using _ = steps
    await it.pass(steps.next())
  }
  t.is(it.leases(), 0)
  it.send(1)
  const again = bursts[Symbol.asyncIterator]()
  const { value } = await it.pass(again.next())
  t.deepEqual([...(value as HeldBurst)].map(numberOf), [10])
  await again.return?.()
  t.is(it.leases(), 0)
})

test('what is no borrowed burst is refused, with what to do', async t => {
  const it = bench()
  it.send(10)
  for (const source of [it.queue.pipe(retain()), it.queue.packets]) {
    const steps = toAsyncIterable(source as never as typeof it.queue)[Symbol.asyncIterator]()
    await t.throwsAsync(it.pass(steps.next()), { code: 'ERR_VHOST_INVALID_ARGUMENT', message: /release\(\)/ })
  }
  await it.pass()
  t.is(it.leases(), it.from.source.unseen)
})

test('a body that forgets its bursts is named', async t => {
  const it = bench()
  it.send(200)
  const loop = (async () => {
    for await (const _ of toAsyncIterable(it.queue));
  })()
  await it.pass()
  t.is(it.leases(), CREDIT)
  t.deepEqual(it.plane.pool.holding(), { 'toAsyncIterable()': CREDIT / BURST })
  it.from.source.close()
  await it.pass(loop)
})
