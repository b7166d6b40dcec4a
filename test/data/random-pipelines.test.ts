// Random pipelines of all operators over random traffic, random room and random interruptions: no packet is lost,
// doubled or reordered without being counted. test/risks has the same between embedded guests.
import test from 'ava'
import fc from 'fast-check'
import type { Subscription } from 'rxjs'
import { fakeFromGuest, fakePlane, fakeToGuest, frames, numberOf } from '../../src/testing/index.js'
import { conserved, overflow, pipelineOf, stageNames } from '../support/random-pipeline.js'

/** Packets of a burst at most. */
const BURST = 16

const step = fc.oneof(
  fc.record({ kind: fc.constant('send' as const), count: fc.integer({ min: 1, max: 60 }) }),
  fc.record({ kind: fc.constant('post' as const), count: fc.integer({ min: 1, max: 60 }) }),
  fc.record({ kind: fc.constant('turns' as const), count: fc.integer({ min: 1, max: 5 }) }),
  fc.constant({ kind: 'resubscribe' as const, count: 0 }),
  fc.record({ kind: fc.constant('restart' as const), count: fc.integer({ min: 0, max: 1 }) }),
)
test('in = out + dropped + filtered + held, in order, and no lease is left', t => {
  fc.assert(
    fc.property(
      stageNames,
      overflow,
      // Less than two rebatch(3) in a row could wait for each other.
      fc.integer({ min: 16, max: 64 }),
      fc.array(step, { minLength: 5, maxLength: 60 }),
      fc.boolean(),
      (names, how, credit, steps, strict) => {
        const plane = fakePlane({ strict })
        const from = fakeFromGuest(plane, { highWaterMark: credit, size: 1024, burst: BURST })
        const to = fakeToGuest(plane, { highWaterMark: 8, size: 1024 })
        const monitor = fakeToGuest(plane, { highWaterMark: 8, size: 1024 })
        const filtered = new Set<number>()
        const around = {
          monitor: monitor.sink,
          filtered,
          later: (run: () => void) => void plane.loop.set(run, 0.05),
        }
        const { pipeline, flow } = pipelineOf(names, around, from.queue, to.sink, how)
        let running: Subscription = pipeline.subscribe()
        let sent = 0
        // A burst in hand can't wait for room, so its copies may go beyond: a burst of them for each stage that copies.
        const most = credit + BURST * names.filter(name => name === 'map').length
        const withinCredit = (): void => {
          if (from.queue.stats.held > most) throw new Error('more leases than credit')
        }
        for (const { kind, count } of steps) {
          if (kind === 'send') sent += from.port.send(...frames(count, sent))
          if (kind === 'post') to.port.post(count)
          if (kind === 'turns') for (let i = 0; i < count; i++) plane.loop.turn()
          if (kind === 'restart') to.port.setRunning(count === 1)
          if (kind === 'resubscribe') {
            running.unsubscribe()
            running = pipeline.subscribe()
          }
          withinCredit()
        }
        to.port.setRunning(true)
        monitor.port.post(1024)
        const idle = (): boolean => from.port.waiting + to.sink.stats.held === 0
        let rounds = 0
        do {
          if (++rounds > 10_000) throw new Error('it never gets idle')
          to.port.post(1024)
          plane.loop.advance(1)
        } while (!idle())
        // What waits for others, as in rebatch(), is given up and counted.
        running.unsubscribe()
        plane.loop.drain()
        if (from.queue.stats.packets !== sent) throw new Error('not all was dequeued')
        conserved(
          {
            sent,
            received: to.port.received.map(numberOf),
            drops: [from.queue.stats.drops, to.sink.stats.drops],
            filtered: filtered.size,
          },
          flow,
        )
        monitor.target.close()
        if (plane.pool.leases !== 0) throw new Error(`${plane.pool.leases} leases are left`)
        return true
      },
    ),
    { numRuns: 400 },
  )
  t.pass()
})
