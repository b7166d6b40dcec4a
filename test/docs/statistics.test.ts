// docs/statistics.md tells of every counter and every reason for a drop, and its example runs.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { map } from 'rxjs'
import { RING_DROPS } from '../../src/data/counters/declared.js'
import { fakeFromGuest, fakePlane, fakeToGuest, marbles } from '../../src/testing/index.js'

const text = readFileSync(join(import.meta.dirname, '../../../docs/statistics.md'), 'utf8')

test('every field of the statistics is explained', t => {
  const plane = fakePlane()
  const fields = [fakeFromGuest(plane).queue.stats, fakeToGuest(plane).sink.stats].flatMap(Object.keys)
  t.true(fields.length > 40)
  for (const field of fields) t.true(text.includes(`\`${field}\``), field)
  for (const reason of RING_DROPS) t.true(text.includes(`\`${reason}\``), reason)
})

test('the example in virtual time', t =>
  marbles(
    h => {
      const from = h.fakeQueue('                3--2')
      h.expectBursts(from.queue).toBe('         a--b', { a: [0, 1, 2], b: [3, 4] })
      const changes = from.queue.stats$(2).pipe(map(s => s.change.good_packets))
      h.expectObservable(changes, '^----!').toBe('--a-b', { a: 3, b: 2 })
    },
    { equal: t.deepEqual },
  ))
