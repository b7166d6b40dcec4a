// The arrival time of the oldest packet in a backlog, compared with a list that has a time for each packet.
import test from 'ava'
import fc from 'fast-check'
import { bucketOf, LatencyRecorder } from '../../src/data/counters/latency.js'
import { Arrivals } from '../../src/data/sink/arrivals.js'

test('the time of the oldest packet is that of the run in which it arrived', t => {
  const step = fc.record({ come: fc.integer({ min: 0, max: 3 }), leave: fc.integer({ min: 0, max: 2 }) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), steps => {
      const arrivals = new Arrivals()
      const times: number[] = []
      let gone = 0
      steps.forEach(({ come, leave }, time) => {
        arrivals.begin(gone + times.length, Float64Array.of(time))
        for (let i = 0; i < come; i++) times.push(time)
        const left = Math.min(leave, times.length)
        times.splice(0, left)
        gone += left
        if (times.length === 0) arrivals.clear()
        else {
          arrivals.left(gone)
          const recorder = new LatencyRecorder()
          arrivals.record(recorder, Float64Array.of(1000))
          const bucket = recorder.counts.indexOf(1)
          if (bucket !== bucketOf((1000 - times[0]) * 1e6)) throw new Error(`${bucket} for ${times[0]}`)
        }
      })
    }),
  )
  t.pass()
})
