// processPackets, when `next` has more of its work done, makes the source send, ends it or throws: the order stays, and no
// lease is lost. With leases as they are in tests and outside.
import test from 'ava'
import fc from 'fast-check'
import { Subject, Subscriber } from 'rxjs'
import { retry } from 'rxjs/operators'
import { processPackets, type Verdict } from '../../src/operators/index.js'
import { Burst } from '../../src/packet/burst.js'
import type { Packet } from '../../src/packet/packet.js'
import { frame, numberOf } from '../../src/testing/index.js'
import { bench, collector, upTo } from './bench.js'

const MODES = [true, false]

// Work that waits until it is told its verdict, by number.
function told() {
  const verdicts: Subject<Verdict>[] = []
  const work = (packet: Packet): Subject<Verdict> => {
    const verdict = new Subject<Verdict>()
    verdicts[numberOf(packet)] = verdict
    return verdict
  }
  return { verdicts, work }
}

test('what gets done inside of `next` goes behind what was done before', t => {
  for (const strict of MODES)
    for (const form of ['bursts', 'packets'] as const) {
      const { queue, run, leases } = bench({ burst: 64 }, 0, strict)
      const { verdicts, work } = told()
      const seen = collector()
      let calls = 0
      ;(queue[form] as typeof queue.bursts)
        .pipe(processPackets(work, { concurrency: 200 }))
        .subscribe(item => {
          if (++calls === 1) for (const verdict of verdicts.slice(100)) verdict.next(true)
          seen.note(item)
        })
      run(130)
      for (const verdict of verdicts.slice(1, 100)) verdict.next(true)
      t.is(calls, 0)
      verdicts[0].next(true)
      t.deepEqual(seen.flat(), upTo(130))
      t.is(leases(), 0)
    }
})

test('a source that ends inside of `next`: the result completes behind what was done before', t => {
  for (const strict of MODES) {
    const { queue, from, run, leases } = bench({ burst: 8 }, 0, strict)
    const { verdicts, work } = told()
    const seen: (number | string)[] = []
    queue.packets.pipe(processPackets(work)).subscribe({
      next: packet => {
        from.source.close()
        seen.push(numberOf(packet))
      },
      complete: () => seen.push('complete'),
    })
    run(4)
    for (const verdict of [...verdicts].reverse()) verdict.next(true)
    t.deepEqual(seen, [...upTo(4), 'complete'])
    t.is(leases(), 0)
  }
})

test('work that fails inside of `next`: what was done before is emitted before the error', t => {
  for (const strict of MODES) {
    const { queue, run, drops, leases } = bench({ burst: 8 }, 0, strict)
    const { verdicts, work } = told()
    const seen: (number | string)[] = []
    queue.packets.pipe(processPackets(work)).subscribe({
      next: packet => {
        seen.push(numberOf(packet))
        if (numberOf(packet) === 0) verdicts[3].error(new Error('work'))
      },
      error: error => seen.push(error.message),
    })
    run(5)
    for (const number of [2, 1, 0]) verdicts[number].next(true)
    t.deepEqual(seen, [0, 1, 2, 'work'])
    t.deepEqual(drops(), { 'pipeline-error': 1, unsubscribed: 1 })
    t.is(leases(), 0)
  }
})

test('the last work fails when its source is complete: that is an error, no completion', t => {
  for (const strict of MODES) {
    const { queue, from, plane, run, drops, leases } = bench({}, 0, strict)
    const { verdicts, work } = told()
    const ends: string[] = []
    queue.pipe(processPackets(work)).subscribe({
      error: error => ends.push(error.message),
      complete: () => ends.push('complete'),
    })
    run(1)
    from.source.close()
    plane.loop.drain()
    verdicts[0].error(new Error('work'))
    t.deepEqual(ends, ['work'])
    t.deepEqual(drops(), { 'pipeline-error': 1 })
    t.is(leases(), 0)
  }
})

test('a `next` that throws costs what was to go with it, and no lease', t => {
  for (const strict of MODES)
    for (const form of ['bursts', 'packets'] as const) {
      const { queue, plane, run, drops, leases } = bench({ burst: 64 }, 0, strict)
      const { cores } = plane.pool
      const [take, give] = [cores.take.bind(cores), cores.give.bind(cores)]
      let taken = 0
      cores.take = capacity => {
        taken++
        return take(capacity)
      }
      cores.give = core => {
        taken--
        give(core)
      }
      const { verdicts, work } = told()
      const seen = collector()
      class Throwing extends Subscriber<Burst | Packet> {
        protected override _next(item: Burst | Packet): void {
          seen.note(item)
          if (seen.all.length === 1) throw new Error('next')
        }
      }
      ;(queue[form] as typeof queue.bursts)
        .pipe(processPackets(work, { concurrency: 200 }))
        .subscribe(new Throwing())
      run(100)
      for (const verdict of verdicts.slice(1, 80)) verdict.next(true)
      t.throws(() => verdicts[0].next(true), { message: 'next' })
      const first = form === 'bursts' ? 64 : 1
      t.deepEqual(seen.flat(), upTo(first))
      t.deepEqual(drops(), { 'pipeline-error': 80 - first })
      t.is(leases(), 20)
      for (const verdict of verdicts.slice(80)) verdict.next(true)
      t.deepEqual(seen.flat(), [...upTo(first), ...upTo(20, 80)])
      t.is(leases(), 0)
      t.is(taken, 0)
    }
})

test('a `next` that throws before a failure: the subscription fails all the same', t => {
  for (const strict of MODES) {
    const { queue, run, drops, leases } = bench({ burst: 8 }, 0, strict)
    const { verdicts, work } = told()
    const errors: string[] = []
    class Throwing extends Subscriber<Burst> {
      protected override _next(): void {
        throw new Error('next')
      }
      protected override _error(error: Error): void {
        errors.push(error.message)
        this.unsubscribe()
      }
    }
    queue.pipe(processPackets(work)).subscribe(new Throwing())
    run(3)
    verdicts[1].next(true)
    t.throws(() => verdicts[0].error(new Error('work')), { message: 'next' })
    t.deepEqual(errors, ['work'])
    t.deepEqual(drops(), { 'pipeline-error': 1, unsubscribed: 1 })
    t.is(leases(), 0)
  }
})

test('random work, settled from inside of work and of next: in = out + dropped + held, in order, no lease left', t => {
  const act = fc.record({
    at: fc.nat(40),
    when: fc.constantFrom('now', 'in work', 'in next', 'in a function'),
    how: fc.constantFrom('keep', 'drop', 'bytes', 'write', 'fail', 'end'),
  })
  const property = fc.property(
    fc.array(act, { maxLength: 60 }),
    fc.integer({ min: 1, max: 12 }),
    fc.boolean(),
    fc.boolean(),
    fc.constantFrom('bursts' as const, 'packets' as const),
    (acts, concurrency, ordered, strict, form) => {
      const { queue, run, drops, from, plane, leases } = bench({ highWaterMark: 32, burst: 8 }, 0, strict)
      const open = new Map<number, Subject<Verdict>>()
      const next: Record<string, (() => void)[]> = { 'in work': [], 'in next': [], 'in a function': [] }
      const got: number[] = []
      const act = (how: string, at: number): void => {
        const number = [...open.keys()][at % Math.max(1, open.size)]
        const verdict = open.get(number)
        if (how === 'end') running.unsubscribe()
        else if (verdict === undefined) return
        open.delete(number)
        if (how === 'fail') verdict?.error(new Error('work'))
        else if (how === 'bytes') verdict?.next(frame(number))
        else if (how === 'write') verdict?.next(() => next['in a function'].shift()?.())
        else if (how !== 'end') verdict?.next(how === 'keep')
      }
      const subscribe = () =>
        (queue[form] as typeof queue.bursts)
          .pipe(
            processPackets(
              packet => {
                const number = numberOf(packet)
                const verdict = new Subject<Verdict>()
                open.set(number, verdict)
                next['in work'].shift()?.()
                if (number % 3 > 0) return verdict
                open.delete(number)
                return number % 2 > 0 || (() => next['in a function'].shift()?.())
              },
              { concurrency, ordered },
            ),
            retry(),
          )
          .subscribe(item => {
            for (const packet of item instanceof Burst ? item : [item]) got.push(numberOf(packet))
            next['in next'].shift()?.()
          })
      let running = subscribe()
      run(60)
      for (const { at, when, how } of acts) {
        if (when === 'now') act(how, at)
        else next[when].push(() => act(how, at))
        if (running.closed) running = subscribe()
        plane.loop.drain()
      }
      running.unsubscribe()
      plane.loop.drain()
      const lost = Object.values(drops()).reduce((sum, count) => sum + count, 0)
      const left = from.port.waiting + from.source.unseen
      if (got.length + lost + left !== 60) throw new Error(`${got.length} + ${lost} + ${left} of 60`)
      if (new Set(got).size !== got.length) throw new Error('one came twice')
      if (ordered && got.some((n, i) => i > 0 && n <= got[i - 1])) throw new Error('out of order')
      if (leases() !== from.source.unseen) throw new Error(`${leases()} leases are left`)
    },
  )
  fc.assert(property, { numRuns: 500 })
  t.pass()
})
