// What every operator must do, whatever else it does (after the idea of wonka's compliance suite). Each check opens
// with its intent, builds a pipeline on rings in memory with strict leases, and throws if the operator breaks it. For
// your own operators: `for (const check of complianceChecks) check.run(row)` in any test runner.
//
// Over budget (200 lines): one list, to be read as a whole.
import assert from 'node:assert/strict'
import { merge, type Observable, type OperatorFunction, Subject, type Subscription, throwError } from 'rxjs'
import { concatWith, retry, take } from 'rxjs/operators'
import { Burst, BurstCore, borrow, endBorrow, HeldBurst } from '../burst.js'
import { HeldPacket, type Packet } from '../packet.js'
import { fakeFromGuest, fakePlane, fakeToGuest } from './fake-queues.js'
import { frames, numberOf } from './frames.js'

type Item = Burst | Packet

export interface ComplianceKit {
  /** For an operator that takes a function: call it with each packet. It may throw or unsubscribe. */
  each: (packet: Packet) => void
  /** For an operator that takes a sink. Its guest has room for all. */
  sink: ReturnType<typeof fakeToGuest>['sink']
}

export interface ComplianceRow {
  name: string
  /** The operator, set up so that every packet passes it. */
  make(kit: ComplianceKit): OperatorFunction<Item, unknown>
  /** Does it call `kit.each`? */
  calls?: boolean
  /** Where its packets come out: as its result (default), or in `kit.sink`. */
  into?: 'result' | 'sink'
}

export interface ComplianceCheck {
  name: string
  run(row: ComplianceRow): void
}

type Form = 'bursts' | 'packets'

// One operator between a guest that sends and someone who notes the numbers of the packets that come out.
class Bench {
  readonly plane = fakePlane()
  readonly from = fakeFromGuest(this.plane, { burst: 8 })
  readonly to = fakeToGuest(this.plane, { room: 256 })
  each: (packet: Packet) => void = () => {}
  readonly #results: number[] = []
  readonly operator: OperatorFunction<Item, unknown>

  constructor(
    readonly row: ComplianceRow,
    readonly form: Form,
  ) {
    this.operator = row.make({ each: packet => this.each(packet), sink: this.to.sink })
  }

  get source(): Observable<Item> {
    return this.form === 'bursts' ? this.from.queue : this.from.queue.packets
  }

  get out(): Observable<unknown> {
    return this.source.pipe(this.operator)
  }

  /** Notes a result, and releases it if it is a lease. */
  readonly note = (value: unknown): void => {
    if (value instanceof Burst || value instanceof HeldBurst)
      for (const packet of value) this.#results.push(numberOf(packet))
    else this.#results.push(numberOf(value as Packet))
    if (value instanceof HeldBurst || value instanceof HeldPacket) value.release()
  }

  get seen(): number[] {
    return this.row.into === 'sink' ? this.to.port.received.map(numberOf) : this.#results
  }

  send(count: number, first = 0): void {
    assert.equal(this.from.port.send(...frames(count, first)), count)
  }

  settled(): void {
    this.plane.loop.drain()
    assert.equal(this.plane.pool.leases, 0, 'leases are left')
  }
}

const upTo = (count: number, first = 0): number[] => Array.from({ length: count }, (_, i) => first + i)

function check(
  name: string,
  run: (bench: Bench) => void,
  applies: (row: ComplianceRow) => boolean = () => true,
) {
  return {
    name,
    run(row: ComplianceRow): void {
      if (applies(row)) for (const form of ['bursts', 'packets'] as const) run(new Bench(row, form))
    },
  }
}

export const complianceChecks: readonly ComplianceCheck[] = [
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
      assert.equal(first, bench.form === 'bursts' ? 8 : 1)
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

  // A burst arrives while the operator is inside `next` for another: neither disturbs the other.
  check('re-entrant emission', bench => {
    const subject = new Subject<Item>()
    const { pool } = bench.plane
    bench.send(16)
    bench.plane.loop.drain()
    const [outer, inner] = [bench.from.queue.dequeueBurst(8), bench.from.queue.dequeueBurst(8)]
    let nested = false
    const emit = (held: HeldBurst): void => {
      const core = new BurstCore(pool, new Uint32Array(8))
      for (const packet of held) core.ids[core.length++] = slotNumber(pool, packet)
      const burst = borrow(core)
      if (bench.form === 'bursts') subject.next(burst)
      else for (const packet of burst) subject.next(packet)
      endBorrow(burst)
    }
    const seen: number[][] = []
    const running = subject.pipe(bench.operator).subscribe(value => {
      if (!nested) {
        nested = true
        emit(inner)
      }
      const before = bench.seen.length
      bench.note(value)
      seen.push(bench.seen.slice(before))
    })
    emit(outer)
    bench.plane.loop.drain()
    running.unsubscribe()
    outer.release()
    inner.release()
    bench.settled()
    assert.deepEqual(
      [...bench.seen].sort((a, b) => a - b),
      upTo(bench.row.into === 'sink' ? 8 : 16),
    )
    if (bench.form === 'bursts' && bench.row.into !== 'sink') assert.deepEqual(seen, [upTo(8, 8), upTo(8)])
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

  // The borrow ends with `next`: whoever keeps what the operator emitted can't use it later.
  check(
    'late use throws',
    bench => {
      const kept: unknown[] = []
      const running = bench.out.subscribe(value => kept.push(value))
      bench.send(8)
      bench.plane.loop.drain()
      running.unsubscribe()
      for (const value of kept) {
        assert.throws(
          () => (value as Item).length,
          (error: { code?: string }) =>
            ['ERR_VHOST_LEASE_ENDED', 'ERR_VHOST_LEASE_RELEASED'].includes(error.code ?? ''),
        )
      }
      assert.ok(kept.length > 0)
      bench.settled()
    },
    row => row.into !== 'sink',
  ),
]

function slotNumber(pool: { meta: Uint32Array; bytes: Buffer }, packet: Packet): number {
  const number = numberOf(packet)
  for (let slot = 0; slot < 256; slot++)
    if (pool.meta[slot * 8 + 3] > 0 && pool.bytes.readUInt32BE(pool.meta[slot * 8] + 14) === number)
      return slot
  throw new Error(`no slot has frame ${number}`)
}
