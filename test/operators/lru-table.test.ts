// The bounded table: against a Map as model, with hashes that collide, and its lists.
import test from 'ava'
import fc from 'fast-check'
import { LruTable, NONE } from '../../src/operators/shared/lru-table.js'

test('a table does what a Map in the order of use does, however its hashes collide', t => {
  const step = fc.record({
    what: fc.constantFrom('touch', 'add', 'remove', 'evict', 'expire'),
    key: fc.integer({ min: 0, max: 30 }),
    list: fc.integer({ min: 0, max: 1 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.constantFrom(0, 3, 0xffffffff), (steps, bits) => {
      const table = new LruTable(12, 2, 2)
      const model = [new Map<number, number>(), new Map<number, number>()]
      const inModel = (key: number) => model.findIndex(list => list.has(key))
      steps.forEach(({ what, key, list }, now) => {
        table.tick(now)
        const words = Int32Array.of(key, ~key)
        const hash = (key * 0x9e3779b1) & bits
        const entry = table.find(words, hash)
        const known = inModel(key)
        t.is(entry !== NONE, known >= 0)
        if (what === 'add' && known < 0) {
          const added = table.add(words, hash, list)
          const size = model[0].size + model[1].size
          t.is(added !== NONE, size < 12)
          if (added !== NONE) model[list].set(key, now)
        } else if (what === 'touch' && known >= 0) {
          table.touch(entry, list)
          model[known].delete(key)
          model[list].set(key, now)
        } else if (what === 'remove' && known >= 0) {
          table.remove(entry)
          model[known].delete(key)
        } else if (what === 'evict' || what === 'expire') {
          const oldest = what === 'evict' ? table.oldest(list) : table.expired(20, list)
          const first = [...model[list]].find(([, seen]) => what === 'evict' || now - seen >= 20)
          t.is(oldest === NONE ? undefined : table.keys[2 * oldest], first?.[0])
          if (oldest !== NONE) table.remove(oldest)
          if (first) model[list].delete(first[0])
        }
        t.is(table.size, model[0].size + model[1].size)
        for (const which of [0, 1]) {
          t.is(table.count(which), model[which].size)
          const order: number[] = []
          for (let at = table.oldest(which); at !== NONE; at = table.newer(at)) {
            order.push(table.keys[2 * at])
            t.is(table.listOf(at), which)
          }
          t.deepEqual(order, [...model[which].keys()])
        }
      })
    }),
    { numRuns: 60 },
  )
})

test('a clock that is set back stands still', t => {
  const table = new LruTable(1, 1)
  table.tick(1000)
  const entry = table.add(Int32Array.of(1), 1)
  table.tick(10)
  t.is(table.expired(1), NONE)
  table.tick(1001)
  t.is(table.expired(1), entry)
})

test('a size that is none is refused', t => {
  for (const capacity of [0, -1, 1.5, Number.NaN, 2 ** 21])
    t.throws(() => new LruTable(capacity, 1), { instanceOf: RangeError, message: /a table has 1 to/ })
})
