// processPackets: order, concurrency, verdicts, backpressure, and each lease released exactly once however it ends.
import test from 'ava'
import fc from 'fast-check'
import { asapScheduler, NEVER, of, Subject, throwError, timer } from 'rxjs'
import { map, retry } from 'rxjs/operators'
import { enqueue, processPackets, type Verdict } from '../../src/operators/index.js'
import type { Packet } from '../../src/packet/packet.js'
import { fakeFromGuest, fakePlane, frame, frames, numberOf } from '../../src/testing/index.js'
import { bench, collector, marbles, upTo } from './bench.js'

// Leases as they are outside of tests.
const plain = fakePlane({ strict: false })

// What the promises of this breath have started.
const breath = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

test('in order, whatever takes longest; or as they get done', t => {
  const slow = (packet: Packet) => timer([9, 1, 3, 5][numberOf(packet)]).pipe(map(() => true))
  marbles(t, processPackets(slow), {
    source: '-4----------|',
    result: '----------a-|',
    values: { a: '0 1 2 3' },
  })
  marbles(t, processPackets(slow, { ordered: false }), {
    source: '-4----------|',
    result: '--a-b-c---d-|',
    values: { a: '1', b: '2', c: '3', d: '0' },
  })
})

test('a bounded number at once; completes when all are done', t => {
  let most = 0
  let now = 0
  const work = () => {
    most = Math.max(most, ++now)
    return timer(5).pipe(map(() => void now--))
  }
  marbles(t, processPackets(work, { concurrency: 2 }), {
    source: '-5|',
    result: '------(ab)-(cd)-(e|)',
    values: { a: '0', b: '1', c: '2', d: '3', e: '4' },
  })
  t.is(most, 2)
})

test('an unsubscription ends the work, and counts what it held', t => {
  const made = marbles(
    t,
    processPackets(() => NEVER),
    {
      source: '-5---',
      result: '-----',
      unsubscribe: '---!',
    },
  )
  t.deepEqual(made.drops(), { unsubscribed: 5 })
})

test('its signal is aborted when the subscription ends before the work has, after the leases', t => {
  const { queue, from, plane, run, leases } = bench()
  const ends: Record<string, (fail: Subject<boolean>, end: () => void) => void> = {
    'an unsubscription': (_, end) => end(),
    'the failure of other work': fail => fail.error(new Error('work')),
  }
  for (const [how, by] of Object.entries(ends)) {
    const signals = new Set<AbortSignal>()
    const fail = new Subject<boolean>()
    const running = queue
      .pipe(
        processPackets((_, signal) => {
          signals.add(signal)
          return fail
        }),
      )
      .subscribe({ error: () => {} })
    run(3)
    t.is(signals.size, 1, how)
    const [signal] = signals
    let left = -1
    signal.addEventListener('abort', () => {
      left = leases()
    })
    t.false(signal.aborted, how)
    by(fail, () => running.unsubscribe())
    t.true(signal.aborted, how)
    t.is(left, 0, how)
  }
  // Nothing is left to be ended when all are done.
  let done: AbortSignal | undefined
  let completed = false
  queue
    .pipe(
      processPackets((_, signal) => {
        done = signal
        return of(true)
      }),
    )
    .subscribe({
      complete: () => {
        completed = true
      },
    })
  run(1)
  from.source.close()
  plane.loop.drain()
  t.true(completed)
  t.false(done?.aborted)
})

test('keep, drop, other bytes, or rewritten', async t => {
  const { queue, to, run, drops, leases } = bench()
  const verdicts: Verdict[] = [
    true,
    undefined,
    false,
    frame(100, { length: 1500 }),
    p => p.setUint32(14, 200),
    frame(300),
  ]
  queue
    .pipe(
      processPackets(async packet => verdicts[numberOf(packet)]),
      enqueue(to.sink),
    )
    .subscribe()
  run(6)
  await breath()
  t.deepEqual(to.port.received.map(numberOf), [0, 1, 100, 200, 300])
  t.deepEqual(to.port.received[2], frame(100, { length: 1500 }))
  t.deepEqual(drops(), { dropped: 1 })
  t.is(leases(), 0)
  t.is(to.port.calls.enqueue, 1, 'what is done together goes on as one burst')
})

test('its packet can be read until the work is done, not later', async t => {
  const { queue, run } = bench()
  const late: Packet[] = []
  const done = new Subject<boolean>()
  queue
    .pipe(
      processPackets(packet => {
        late.push(packet)
        return done
      }),
    )
    .subscribe()
  run(1)
  await breath()
  t.is(numberOf(late[0]), 0)
  done.next(true)
  t.throws(() => late[0].length, { code: 'ERR_VHOST_LEASE_ENDED' })
})

test('slow work uses up the credit, and the guest waits', async t => {
  const { queue, from, plane, to, run, got, leases } = bench({ highWaterMark: 32, burst: 8 })
  const running: (() => void)[] = []
  queue
    .pipe(
      processPackets(() => new Promise<void>(resolve => running.push(resolve)), { concurrency: 4 }),
      enqueue(to.sink),
    )
    .subscribe()
  run(500)
  t.is(running.length, 4)
  t.is(from.port.waiting, 500 - 32)
  while (got().length < 500) {
    t.true(running.length <= 4 && queue.stats.held <= 32)
    for (const end of running.splice(0)) end()
    await breath()
    plane.loop.drain()
  }
  t.deepEqual(got(), upTo(500))
  t.is(leases(), 0)
})

test('a rejected or throwing work costs its packet and the subscription; retry goes on', async t => {
  for (const how of ['rejects', 'throws later', 'rewriting throws'] as const) {
    const { queue, to, plane, run, got, drops, leases } = bench({ burst: 8 })
    const work = (packet: Packet): Promise<Verdict> => {
      const bad = numberOf(packet) === 5
      if (how === 'throws later' && bad) throw new Error('work')
      if (how === 'rejects' && bad) return Promise.reject(new Error('work'))
      if (how === 'rewriting throws' && bad) return Promise.resolve(p => p.truncate(1e6))
      return Promise.resolve(true)
    }
    queue.pipe(processPackets(work, { concurrency: 2 }), retry(), enqueue(to.sink)).subscribe()
    run(24)
    for (let i = 0; i < 30; i++) {
      await breath()
      plane.loop.drain()
    }
    const lost = drops().unsubscribed ?? 0
    t.is(drops()['pipeline-error'], 1, how)
    t.is(got().length + lost + 1, 24, how)
    t.deepEqual(got().slice(0, 4), upTo(4), how)
    t.is(leases(), 0, how)
  }
})

test('Observables: the first value is the verdict, none is keep, an error is one', t => {
  const { queue, run, drops, leases } = bench({ burst: 4 })
  const seen = collector()
  const errors: string[] = []
  const verdicts = [of(true, false), of(false, true), of(), throwError(() => new Error('inner'))]
  queue
    .pipe(processPackets(packet => verdicts[numberOf(packet)]))
    .subscribe({ next: seen.note, error: error => errors.push(error.message) })
  run(4)
  t.deepEqual(seen.flat(), [0, 2])
  t.deepEqual(errors, ['inner'])
  t.deepEqual(drops(), { dropped: 1, 'pipeline-error': 1 })
  t.is(leases(), 0)
})

test('what is only like a promise is heard once, and may begin with its then', async t => {
  const { queue, run, drops, leases } = bench({ burst: 4 })
  const seen = collector()
  // Says it again and again, while its job is another packet's.
  const again: (() => void)[] = []
  const talkative = (first: Verdict): PromiseLike<Verdict> => ({
    // biome-ignore lint/suspicious/noThenProperty: that is what it is
    then(keep, fail) {
      again.push(() => {
        keep?.(!first)
        fail?.(new Error('again'))
      })
      keep?.(first)
      return this as never
    },
  })
  class Lazy extends Promise<Verdict> {
    // biome-ignore lint/suspicious/noThenProperty: that is what it is
    override then(...args: Parameters<Promise<Verdict>['then']>): never {
      return Promise.resolve(true).then(...args) as never
    }
  }
  queue
    .pipe(
      processPackets(packet => {
        for (const call of again) call()
        const kind = numberOf(packet) % 3
        return kind === 2 ? new Lazy(() => {}) : talkative(kind !== 0)
      }),
    )
    .subscribe(seen.note)
  for (let round = 0; round < 4; round++) {
    run(4)
    await breath()
  }
  t.deepEqual(
    seen.flat(),
    upTo(16).filter(n => n % 3 !== 0),
  )
  t.deepEqual(drops(), { dropped: 6 })
  t.is(leases(), 0)
})

test('work that lost a race never reads another packet, in any mode', async t => {
  const { queue, port } = fakeFromGuest(plain)
  const over: Packet[] = []
  const working: Packet[] = []
  const isReadable = (packet: Packet): boolean => {
    try {
      return packet.length > 0
    } catch {
      return false
    }
  }
  let shown = 0
  let calls = 0
  queue
    .pipe(
      processPackets(packet => {
        shown += over.filter(isReadable).length
        const kind = calls++ % 3
        if (kind === 0) return true
        working.push(packet)
        return kind === 1 ? Promise.resolve(true) : timer(0, asapScheduler).pipe(map(() => true))
      }),
    )
    .subscribe()
  for (let round = 0; round < 300; round++) {
    port.send(...frames(8))
    plain.loop.drain()
    t.is(working.filter(isReadable).length, working.length)
    await breath()
    over.push(...working.splice(0))
  }
  t.is(over.length, 1600)
  t.is(shown, 0)
  t.is(plain.pool.leases, 0)
})

test('single packets stay single', async t => {
  const { queue, run, leases } = bench()
  const seen = collector()
  queue.packets.pipe(processPackets(async () => true)).subscribe(seen.note)
  run(5)
  await breath()
  t.deepEqual(seen.all, [[0], [1], [2], [3], [4]])
  t.is(leases(), 0)
})

test('a stall names it', t => {
  const stalled: unknown[] = []
  const { queue, plane, run } = bench({ highWaterMark: 8, burst: 8, onStalled: s => stalled.push(s) })
  queue.pipe(processPackets(() => NEVER)).subscribe()
  run(20)
  plane.loop.advance(2000)
  t.deepEqual(stalled, [{ held: 8, holders: { 'processPackets()': 8 } }])
})

test('random work: in = out + dropped, in order, no lease left', t => {
  const act = fc.record({
    at: fc.nat(40),
    how: fc.constantFrom('keep', 'drop', 'bytes', 'write', 'fail', 'never'),
  })
  fc.assert(
    fc.property(
      fc.array(act, { maxLength: 60 }),
      fc.integer({ min: 1, max: 12 }),
      fc.boolean(),
      fc.constantFrom('bursts' as const, 'packets' as const),
      (acts, concurrency, ordered, form) => {
        const { queue, to, run, got, drops, from, plane, leases } = bench({ highWaterMark: 32, burst: 8 })
        const open = new Map<number, Subject<Verdict>>()
        const source = form === 'bursts' ? queue.bursts : queue.packets
        const running = (source as typeof queue.bursts)
          .pipe(
            processPackets(
              packet => {
                const verdict = new Subject<Verdict>()
                open.set(numberOf(packet), verdict)
                return verdict
              },
              { concurrency, ordered },
            ),
            retry(),
            enqueue(to.sink),
          )
          .subscribe()
        run(60)
        for (const { at, how } of acts) {
          const number = [...open.keys()][at % Math.max(1, open.size)]
          const verdict = open.get(number)
          if (verdict === undefined || how === 'never') continue
          open.delete(number)
          if (how === 'fail') verdict.error(new Error('work'))
          else if (how === 'bytes') verdict.next(frame(number))
          else if (how === 'write') verdict.next(p => p.setUint8(0, 1))
          else verdict.next(how === 'keep')
          plane.loop.drain()
          if (queue.stats.held > 32 + 8) throw new Error('more leases than credit')
        }
        running.unsubscribe()
        plane.loop.drain()
        const lost = Object.values(drops()).reduce((sum, count) => sum + count, 0)
        const left = from.port.waiting + from.source.unseen
        if (got().length + lost + left !== 60) throw new Error(`${got().length} + ${lost} + ${left} of 60`)
        if (ordered && got().some((n, i) => i > 0 && n <= got()[i - 1])) throw new Error('out of order')
        if (leases() !== from.source.unseen) throw new Error(`${leases()} leases are left`)
      },
    ),
    { numRuns: 300 },
  )
  t.pass()
})
