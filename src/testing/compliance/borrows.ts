// What an operator emits is a borrow: it ends with its `next`, and another may be inside it.
import assert from 'node:assert/strict'
import { Subject } from 'rxjs'
import { BurstCore, borrow, endBorrow, type HeldBurst } from '../../packet/burst.js'
import type { Packet } from '../../packet/packet.js'
import { numberOf } from '../frames.js'
import { type ComplianceCheck, check, type Item, upTo } from './bench.js'

export const borrowChecks: readonly ComplianceCheck[] = [
  // A burst arrives while the operator is inside `next` for another: neither disturbs the other. It goes on at once, or
  // behind the other.
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
    if (bench.form === 'bursts' && bench.row.into !== 'sink' && !bench.row.regroups)
      assert.deepEqual(
        seen.sort(([a], [b]) => a - b),
        [upTo(8), upTo(8, 8)],
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
    row => row.into !== 'sink' && row.copies !== true,
  ),
]

function slotNumber(pool: { meta: Uint32Array; bytes: Buffer }, packet: Packet): number {
  const number = numberOf(packet)
  for (let slot = 0; slot < 256; slot++)
    if (pool.meta[slot * 8 + 3] > 0 && pool.bytes.readUInt32BE(pool.meta[slot * 8] + 14) === number)
      return slot
  throw new Error(`no slot has frame ${number}`)
}
