// The backlog of a sink against a plain list: order, drops of the oldest, and leases, over any sequence of steps.
import test from 'ava'
import fc from 'fast-check'
import { plainPoolArrays } from '../../src/data/pool/arrays.js'
import { Pool } from '../../src/data/pool/pool.js'
import { Backlog } from '../../src/data/sink/backlog.js'
import type { Overflow } from '../../src/packet/sink.js'

const LIMIT = 80

type Step = { push: Overflow } | { release: number } | 'drop-oldest'

test('packets leave in order; only packets that may be lost are dropped, the oldest first; no lease is left', t => {
  const step: fc.Arbitrary<Step> = fc.oneof(
    { arbitrary: fc.record({ push: fc.constantFrom<Overflow>('block', 'drop-oldest') }), weight: 8 },
    { arbitrary: fc.record({ release: fc.integer({ min: 0, max: 90 }) }), weight: 1 },
    { arbitrary: fc.constant('drop-oldest' as const), weight: 2 },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), steps => {
      const pool = new Pool(plainPoolArrays(), { strict: true })
      const backlog = new Backlog(pool, LIMIT)
      const list: { slot: number; blocks: boolean }[] = []
      const peeked = new Uint32Array(256)
      for (const step of steps) {
        if (step === 'drop-oldest') {
          const at = list.findIndex(({ blocks }) => !blocks)
          if (backlog.dropOldest() !== at >= 0) throw new Error(`dropOldest() with ${at}`)
          if (at >= 0) list.splice(at, 1)
        } else if ('push' in step) {
          const slot = pool.alloc(60)
          backlog.push(slot, step.push)
          pool.release(slot)
          list.push({ slot, blocks: step.push === 'block' })
        } else {
          const count = Math.min(step.release, list.length)
          backlog.release(count)
          list.splice(0, count)
        }
        const slots = list.slice(0, peeked.length).map(({ slot }) => slot)
        if (`${[...peeked.subarray(0, backlog.peek(peeked))]}` !== `${slots}`)
          throw new Error('another order')
        if (backlog.length !== list.length || pool.leases !== list.length) throw new Error('another length')
        if (backlog.hasRoom !== list.length < LIMIT) throw new Error('another limit')
      }
      backlog.release(backlog.length)
      if (pool.leases > 0) throw new Error('leases are left')
    }),
  )
  t.pass()
})

test('whenDrained calls back once all packets that were queued before have left, dropped or released', t => {
  const pool = new Pool(plainPoolArrays(), { strict: true })
  const backlog = new Backlog(pool, LIMIT)
  const push = (): void => backlog.push(pool.alloc(60), 'drop-oldest')
  const done: string[] = []
  backlog.whenDrained(() => done.push('empty'))
  push()
  push()
  backlog.whenDrained(() => done.push('two'))
  const cancel = backlog.whenDrained(() => done.push('cancelled'))
  push()
  backlog.whenDrained(() => done.push('three'))
  cancel()
  backlog.dropOldest()
  t.deepEqual(done, ['empty'])
  backlog.release(1)
  t.deepEqual(done, ['empty', 'two'])
  backlog.release(1)
  t.deepEqual(done, ['empty', 'two', 'three'])
})
