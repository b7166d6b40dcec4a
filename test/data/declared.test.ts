// The enum in C++ and the tables in the documents are those of the declaration of counters.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { DECLARED, nativeEnum, RING_DROPS, withTables } from '../../src/data/counters/declared.js'

const read = (path: string): string => readFileSync(join(import.meta.dirname, '../../..', path), 'utf8')
const FIX = 'npm run generate writes it'

test("the enum in C++ has the declaration's order", t => {
  t.is(read('native/core/virtqueue/stat.h'), nativeEnum(), FIX)
})

test("the tables in docs/statistics.md are the declaration's", t => {
  const page = read('docs/statistics.md')
  t.is(page, withTables(page), FIX)
  t.regex(page, /\| `csum-bounds` \|/)
})

test('drops stand last: they are read out as one range', t => {
  t.deepEqual(
    DECLARED.slice(-RING_DROPS.length).map(({ name }) => name),
    [...RING_DROPS],
  )
  t.is(new Set(DECLARED.map(({ name }) => name)).size, DECLARED.length)
})
