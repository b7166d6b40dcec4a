// processPackets, when something ends inside of its work or of a verdict's function: each lease is given back once, each
// packet is counted once, and what the queue gives out again was not counted. With leases as they are in tests and outside.
import test from 'ava'
import { defer, merge, NEVER, type Observable, of, Subject } from 'rxjs'
import { retry, takeUntil } from 'rxjs/operators'
import { processPackets, retain, type Verdict } from '../../src/operators/index.js'
import { type Burst, BurstCore, borrow, endBorrow } from '../../src/packet/burst.js'
import { type Packet, slotOf } from '../../src/packet/packet.js'
import { fakeFromGuest, fakePlane, frame, frames, numberOf } from '../../src/testing/index.js'
import { bench, collector, upTo } from './bench.js'

type Forms = Observable<Burst>
const MODES = [true, false].flatMap(strict =>
  (['bursts', 'packets'] as const).map(form => ({ strict, form, mode: `${form}, strict ${strict}` })),
)

// What the promises of this breath have started.
const breath = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

const sum = (drops: Readonly<Record<string, number>>): number =>
  Object.values(drops).reduce((total, count) => total + count, 0)

test('work that ends its subscription and then gives a verdict: nobody waits for it', async t => {
  let touched = 0
  const write = (): void => void touched++
  const results: Record<string, () => Verdict | Promise<Verdict> | Observable<Verdict>> = {
    'a function': () => write,
    bytes: () => frame(9),
    'a promise of a function': () => Promise.resolve(write),
    'a promise of bytes': () => Promise.resolve(frame(9)),
    'a rejection': () => Promise.reject(new Error('work')),
    'an Observable of a function': () => of(write),
    'an Observable of bytes': () => of(frame(9)),
    'one that is not wanted': () => defer(() => of(void touched++)),
  }
  for (const { strict, form, mode } of MODES)
    for (const by of ['unsubscribe()', 'takeUntil()'])
      for (const [what, result] of Object.entries(results)) {
        const name = `${what}, ${by}, ${mode}`
        const { queue, from, plane, run, drops, leases } = bench({ burst: 8 }, 0, strict)
        const source = queue[form] as Forms
        const until = new Subject<void>()
        const work = (packet: Packet) => {
          if (numberOf(packet) !== 3) return true
          if (by === 'takeUntil()') until.next()
          else running.unsubscribe()
          return result()
        }
        const seen = collector()
        const running = source.pipe(processPackets(work), takeUntil(until)).subscribe(seen.note)
        run(8)
        await breath()
        const left = form === 'bursts' ? 8 : 4
        t.is(from.source.unseen, left, name)
        t.is(leases(), left, name)
        t.deepEqual(drops(), form === 'bursts' ? {} : { unsubscribed: 1 }, name)
        const again = source.subscribe(seen.note)
        plane.loop.drain()
        again.unsubscribe()
        t.deepEqual(
          seen.flat(),
          upTo(8).filter(n => form === 'bursts' || n !== 3),
          name,
        )
        t.is(leases(), 0, name)
      }
  t.is(touched, 0)
})

test('a function that ends the subscription while it rewrites: the copy is released, and the packet once', async t => {
  for (const { strict, form, mode } of MODES)
    for (const comes of ['at once', 'as a promise', 'as an Observable'])
      for (const throws of [false, true]) {
        const name = `${comes}, throws ${throws}, ${mode}`
        const { queue, from, plane, run, drops, leases } = bench({ burst: 8 }, 0, strict)
        const source = queue[form] as Forms
        const write = (packet: Packet): void => {
          if (numberOf(packet) !== 3) return
          running.unsubscribe()
          if (throws) throw new Error('function')
        }
        const work = () => {
          if (comes === 'at once') return write
          return comes === 'as a promise' ? Promise.resolve(write) : of(write)
        }
        const seen = collector()
        const running = source.pipe(processPackets(work)).subscribe(seen.note)
        run(8)
        await breath()
        t.is(leases(), from.source.unseen, name)
        const again = source.subscribe(seen.note)
        plane.loop.drain()
        again.unsubscribe()
        t.is(seen.flat().length + sum(drops()), 8, name)
        t.deepEqual(
          Object.keys(drops()),
          form === 'bursts' && comes !== 'as a promise' ? [] : ['unsubscribed'],
        )
        t.is(leases(), 0, name)
      }
})

test('work that ends its subscription and then throws is counted once', t => {
  for (const { strict, form, mode } of MODES) {
    const { queue, from, plane, run, drops, leases } = bench({ burst: 8 }, 0, strict)
    const running = (queue[form] as Forms)
      .pipe(
        processPackets(packet => {
          if (numberOf(packet) < 3) return true
          running.unsubscribe()
          throw new Error('work')
        }),
      )
      .subscribe()
    run(8)
    plane.loop.drain()
    t.is(from.source.unseen, form === 'bursts' ? 8 : 4, mode)
    t.deepEqual(drops(), form === 'bursts' ? {} : { unsubscribed: 1 }, mode)
    t.is(leases(), from.source.unseen, mode)
  }
})

test('older work that fails inside of the work on a burst: what is given out again is not counted', t => {
  for (const { strict, form, mode } of MODES)
    for (const older of [0, 8, 9]) {
      const name = `${older}, ${mode}`
      const { queue, plane, send, drops, leases } = bench({ burst: 8 }, 0, strict)
      const fails = new Subject<boolean>()
      let failed = false
      const work = (packet: Packet) => {
        const number = numberOf(packet)
        if (number === older && !failed) return fails
        if (number === 12 && !failed) {
          failed = true
          fails.error(new Error('work'))
        }
        return true
      }
      const seen = collector()
      const running = (queue[form] as Forms).pipe(processPackets(work), retry()).subscribe(seen.note)
      for (let i = 0; i < 3; i++) {
        send(8)
        plane.loop.drain()
      }
      running.unsubscribe()
      t.is(new Set(seen.flat()).size, seen.flat().length, name)
      t.is(seen.flat().length + sum(drops()), 24, name)
      // Of a burst in hand, whatever failed is given out again, and the burst before was done.
      if (form === 'bursts') t.deepEqual(drops(), older >= 8 ? {} : { 'pipeline-error': 1 }, name)
      else t.is(drops()['pipeline-error'], 1, name)
      t.is(leases(), 0, name)
    }
})

// Work makes the source send, and what that starts lets a packet of the new burst in, which fails.
test('work started late that throws at a packet of a burst in hand: it is given out again, not counted', t => {
  for (const strict of [true, false]) {
    const { queue, plane, send, drops, leases } = bench({ burst: 8 }, 0, strict)
    send(8)
    plane.loop.drain()
    const first = queue.dequeueBurst(4)
    const second = queue.dequeueBurst(4)
    const core = (held: typeof first): BurstCore => {
      const made = new BurstCore(plane.pool, new Uint32Array(4))
      for (const packet of held) made.ids[made.length++] = slotOf(packet)
      return made
    }
    const [outer, inner] = [core(first), core(second)]
    const source = new Subject<Burst>()
    const give = (to: BurstCore): void => {
      const burst = borrow(to)
      source.next(burst)
      endBorrow(burst)
    }
    const verdicts = [new Subject<boolean>(), new Subject<boolean>()]
    const seen = collector()
    const errors: string[] = []
    const called: number[] = []
    source
      .pipe(
        processPackets(
          packet => {
            const number = numberOf(packet)
            called.push(number)
            if (number < 2) return verdicts[number]
            if (number === 2) give(inner)
            if (number === 3) verdicts[1].next(true)
            if (number === 4) throw new Error('work')
            return NEVER
          },
          { concurrency: 2 },
        ),
      )
      .subscribe({ next: seen.note, error: error => errors.push(error.message) })
    give(outer)
    verdicts[0].next(true)
    t.deepEqual(called, upTo(5))
    t.deepEqual(errors, ['work'])
    t.is(inner.cut, 0)
    // 0 and 1 were done before, 2 and 3 in work.
    t.deepEqual(seen.flat(), [0, 1])
    t.deepEqual(drops(), { unsubscribed: 2 })
    first.release()
    second.release()
    t.is(leases(), 0)
  }
})

test('a packet whose work was done at once never reads what another slot has', t => {
  for (const strict of [true, false]) {
    const plane = fakePlane({ strict })
    const guests = [fakeFromGuest(plane, { burst: 8 }), fakeFromGuest(plane, { burst: 8 })]
    const before: Packet[] = []
    merge(...guests.map(guest => guest.queue))
      .pipe(
        processPackets(packet => {
          for (const other of before) t.throws(() => numberOf(other), { code: 'ERR_VHOST_LEASE_ENDED' })
          before.push(packet)
          return true
        }),
        // So that each stays in its slot.
        retain<Burst>(),
      )
      .subscribe()
    for (const [i, guest] of guests.entries()) {
      guest.port.send(...frames(16, 16 * i))
      plane.loop.drain()
    }
    t.is(before.length, 32)
    for (const packet of before) t.throws(() => packet.length, { code: 'ERR_VHOST_LEASE_ENDED' })
  }
})

test('packets of several pools: each is read where it is', t => {
  const planes = [fakePlane({ strict: false }), fakePlane({ strict: false })]
  const guests = planes.map(plane => fakeFromGuest(plane, { burst: 8 }))
  const seen: number[] = []
  merge(...guests.map(guest => guest.queue))
    .pipe(processPackets(packet => void seen.push(numberOf(packet))))
    .subscribe()
  for (let first = 0; first < 64; first += 8) {
    guests[(first / 8) % 2].port.send(...frames(8, first))
    for (const { loop } of planes) loop.drain()
  }
  t.deepEqual(seen, upTo(64))
})

test('the packet of work that outlived its subscription never reads another one', async t => {
  for (const { strict, form, mode } of MODES) {
    const { queue, run, leases } = bench({ burst: 8 }, 0, strict)
    const source = queue[form] as Forms
    const over: Packet[] = []
    const end: Record<number, () => Verdict | Promise<Verdict> | Observable<Verdict>> = {
      1: () => NEVER,
      2: () => new Promise<void>(() => {}),
      3: () => of(true),
    }
    for (let round = 0; round < 20; round++) {
      const how = end[round % 4]
      const running = source
        .pipe(
          processPackets(packet => {
            for (const one of over) t.throws(() => one.length, { code: 'ERR_VHOST_LEASE_ENDED' }, mode)
            if (how === undefined) return true
            over.push(packet)
            running.unsubscribe()
            return how()
          }),
        )
        .subscribe()
      run(4)
      await breath()
      running.unsubscribe()
    }
    t.is(over.length, 15, mode)
    const all = queue.subscribe()
    run(0)
    all.unsubscribe()
    t.is(leases(), 0, mode)
  }
})
