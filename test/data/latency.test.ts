// Buckets of latencies: no latency falls between two of them; percentiles are never too low, and too high by little.
import test from 'ava'
import fc from 'fast-check'
import {
  bucketFrom,
  bucketOf,
  LATENCY_BUCKETS,
  LatencyHistogram,
  LatencyRecorder,
} from '../../src/data/counters/latency.js'

test('every number of nanoseconds is in one bucket, which is an eighth of it wide at most', t => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 37 - 1 }), ns => {
      const bucket = bucketOf(ns)
      const [from, to] = [bucketFrom(bucket), bucketFrom(bucket + 1) - 1]
      return from <= ns && ns <= to && to - from <= ns / 8
    }),
  )
  for (let bucket = 0; bucket < LATENCY_BUCKETS; bucket++) t.is(bucketOf(bucketFrom(bucket)), bucket)
  t.is(bucketOf(2 ** 60), LATENCY_BUCKETS - 1)
  t.is(bucketOf(-1), 0, 'a clock that was set back')
})

test('percentiles are upper ends of buckets', t => {
  const recorder = new LatencyRecorder()
  const record = (ms: number): void => recorder.recordSince(Float64Array.of(5), 0, Float64Array.of(5 + ms))
  for (let i = 0; i < 990; i++) record(0.001)
  for (let i = 0; i < 9; i++) record(0.1)
  record(10)
  const { count, p50, p99, p999, max, buckets } = new LatencyHistogram(recorder.counts)
  const within = (ns: number, value: number): void => {
    t.true(value >= ns && value <= ns * 1.125, `${value} for ${ns}`)
  }
  t.is(count, 1000)
  within(1000, p50)
  within(1000, p99)
  within(100_000, p999)
  within(10_000_000, max)
  t.deepEqual(
    buckets.map(bucket => bucket.count),
    [990, 9, 1],
  )
})

test('without latencies all values are 0', t => {
  const { count, p50, p999, max, buckets } = new LatencyHistogram(new Float64Array(LATENCY_BUCKETS))
  t.deepEqual({ count, p50, p999, max, buckets }, { count: 0, p50: 0, p999: 0, max: 0, buckets: [] })
})
