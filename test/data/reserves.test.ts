// Reserves of the pool when there are more queues than it could reserve a burst for.
import test from 'ava'
import fc from 'fast-check'
import { plainPoolArrays, RESERVED, SLOTS } from '../../src/data/pool/arrays.js'
import { NONE, Pool } from '../../src/data/pool/pool.js'

const limits = { packets: 1024, bytes: 8 << 20, smallReserve: 64, largeReserve: 4 }

function make(bytes = 1 << 20, accounts = 512) {
  const arrays = plainPoolArrays(bytes, accounts)
  return { pool: new Pool(arrays, { strict: false }), cursors: arrays.cursors }
}

test('a queue still gets slots when the pool can reserve no more', t => {
  const { pool } = make()
  const queues = Array.from({ length: 200 }, () => pool.accounts.open(limits))
  for (const queue of queues) t.not(pool.alloc(64, queue), NONE)
  t.not(pool.alloc(64), NONE, 'and so do copies, which belong to no queue')
})

test('reserves take half of each class at most, in equal shares, and grow again when queues close', t => {
  const { pool, cursors } = make()
  const reserves = () => queues.map(queue => pool.accounts.unusedReserve(queue, 0))
  const queues = [pool.accounts.open(limits)]
  t.deepEqual(reserves(), [64])
  while (queues.length < 32) queues.push(pool.accounts.open(limits))
  t.deepEqual(reserves(), Array(32).fill(4))
  t.is(cursors[RESERVED], cursors[SLOTS] / 2)
  for (const queue of queues.splice(3)) pool.accounts.close(queue)
  t.deepEqual(reserves(), [42, 42, 42])
  for (const queue of queues) pool.accounts.close(queue)
  t.deepEqual([cursors[RESERVED], cursors[RESERVED + 1]], [0, 0])
})

test('a reserve that was granted while all slots were leased fills first as slots are freed', t => {
  const { pool } = make()
  const slots: number[] = []
  for (let slot = pool.alloc(64); slot !== NONE; slot = pool.alloc(64)) slots.push(slot)
  const queue = pool.accounts.open({ ...limits, smallReserve: 2 })
  t.is(pool.alloc(64, queue), NONE)
  pool.release(slots[0])
  t.is(pool.alloc(64), NONE)
  pool.release(slots[1])
  t.is(pool.alloc(64), NONE)
  t.not(pool.alloc(64, queue), NONE)
  t.not(pool.alloc(64, queue), NONE)
  t.is(pool.alloc(64, queue), NONE)
  pool.release(slots[2])
  t.not(pool.alloc(64), NONE)
})

test('more queues than accounts are refused, with a fix', t => {
  const { pool } = make(1 << 20, 4)
  for (let n = 1; n < 4; n++) t.is(pool.accounts.open(limits), n)
  t.throws(() => pool.accounts.open(limits), { code: 'ERR_VHOST_POOL_EXHAUSTED', message: /close devices/ })
  pool.accounts.close(2)
  t.is(pool.accounts.open(limits), 2)
})

test('the count of reserved slots is always the sum of the unused reserves', t => {
  const step = fc.record({
    what: fc.constantFrom('open', 'close', 'alloc', 'alloc', 'release'),
    which: fc.nat(50),
    length: fc.constantFrom(64, 64, 5000),
  })
  const run = (steps: { what: string; which: number; length: number }[]): void => {
    const { pool, cursors } = make()
    const queues: number[] = []
    const slots: number[] = []
    for (const { what, which, length } of steps) {
      const queue = queues[which % queues.length]
      if (what === 'open') queues.push(pool.accounts.open(limits))
      else if (what === 'close' && queue) {
        pool.accounts.close(queue)
        queues.splice(queues.indexOf(queue), 1)
      } else if (what === 'alloc' && queue) {
        const slot = pool.alloc(length, queue)
        if (slot !== NONE) slots.push(slot)
      } else if (what === 'release' && slots.length > 0)
        pool.release(slots.splice(which % slots.length, 1)[0])
      for (const large of [0, 1]) {
        const unused = queues.reduce((sum, queue) => sum + pool.accounts.unusedReserve(queue, large), 0)
        t.is(cursors[RESERVED + large], unused)
      }
    }
  }
  t.notThrows(() => fc.assert(fc.property(fc.array(step, { minLength: 20, maxLength: 80 }), run)))
})
