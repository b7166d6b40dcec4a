// What the benches say about their measurements: medians, and intervals that can be checked by somebody else.
import test from 'ava'
import { median, quantile, summarize } from '../../bench/support/statistics.js'
import { markdownTable, textTable } from '../../bench/support/tables.js'

test('a quantile lies between its neighbours', t => {
  t.is(median([3, 1, 2]), 2)
  t.is(median([4, 1, 2, 3]), 2.5)
  t.is(quantile([0, 10], 0.25), 2.5)
  t.is(quantile([7], 0.99), 7)
  t.true(Number.isNaN(median([])))
})

test('one outlier moves neither the median nor its interval far', t => {
  const { median, interval, most } = summarize([1, 1.01, 0.99, 1.02, 0.98, 1, 40])
  t.is(median, 1)
  t.is(most, 40)
  t.true(interval[0] >= 0.98 && interval[1] <= 1.02)
})

test('the interval holds the median, and the same values give the same interval', t => {
  const values = [0.91, 1.2, 1.05, 0.99, 1.1]
  const { median, interval } = summarize(values)
  t.true(interval[0] < median && median < interval[1])
  t.deepEqual(summarize(values), summarize(values))
})

test('a table lines its numbers up to the right, in text and in Markdown', t => {
  const columns = [
    { title: 'job', value: ([job]: [string, number]) => job },
    { title: 'ns', value: ([, ns]: [string, number]) => ns },
  ]
  const rows: [string, number][] = [
    ['sink', 9],
    ['a', 100],
  ]
  t.is(textTable(columns, rows), 'job    ns\nsink    9\na     100')
  t.is(markdownTable(columns, rows), '| job | ns |\n| --- | --: |\n| sink | 9 |\n| a | 100 |')
})
