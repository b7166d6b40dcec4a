// Risk: what holds on rings in memory does not hold between guests. Random pipelines of all operators between embedded
// guests that send, make room and are interrupted at random: each frame arrives, or is counted with its reason.
import test from 'ava'
import fc from 'fast-check'
import type { Subscription } from 'rxjs'
import { dataPlane } from '../../src/data/env.js'
import { frames, numberOf } from '../../src/testing/index.js'
import { conserved, overflow, pipelineOf, stageNames } from '../support/random-pipeline.js'
import { scene, turn } from './support/scene.js'

const count = fc.integer({ min: 1, max: 60 })
const step = fc.oneof(
  fc.record({ kind: fc.constant('send' as const), count }),
  fc.record({ kind: fc.constant('post' as const), count }),
  fc.record({ kind: fc.constant('turns' as const), count: fc.integer({ min: 1, max: 5 }) }),
  fc.constant({ kind: 'resubscribe' as const, count: 0 }),
)

test('in = out + dropped by reason + left out, in order, and no lease is left', async t => {
  t.timeout(90_000)
  const { driver, guest, running } = scene(t)
  const property = fc.asyncProperty(
    stageNames,
    overflow,
    fc.integer({ min: 16, max: 64 }),
    fc.array(step, { minLength: 5, maxLength: 60 }),
    async (names, how, credit, steps) => {
      const drivers = [driver('a', { highWaterMark: credit }), driver('b'), driver('monitor')]
      const [a, b, monitor] = drivers
      // The drivers stay open while the pipeline is swapped.
      const open = drivers.map(one => running(one.subscribe()))
      const around = {
        monitor: monitor.toGuest({ highWaterMark: 8 }),
        filtered: new Set<number>(),
        later: (run: () => void) => void setTimeout(run, 1),
      }
      const [queue, sink] = [a.fromGuest(), b.toGuest({ highWaterMark: 8 })]
      const { pipeline, flow } = pipelineOf(names, around, queue, sink, how)
      const guests = [await guest(a), await guest(b, { autoPost: false }), await guest(monitor)]
      const [from, to] = guests
      let subscription: Subscription = pipeline.subscribe()
      try {
        const received: number[] = []
        running(to.frames.subscribe(bytes => received.push(numberOf(Buffer.from(bytes)))))
        let sent = 0
        for (const { kind, count } of steps) {
          if (kind === 'send') sent += from.sendBurst(frames(count, sent))
          if (kind === 'post') to.postReceive(count)
          if (kind === 'turns') for (let i = 0; i < count; i++) await turn()
          if (kind === 'resubscribe') {
            subscription.unsubscribe()
            subscription = pipeline.subscribe()
          }
        }
        // Until what is left is what an operator gathers: then nothing moves for as long as its timers take.
        let before = ''
        for (let quiet = 0; quiet < 3; ) {
          to.postReceive()
          await new Promise(resolve => setTimeout(resolve, 2))
          const now = `${queue.stats.packets} ${queue.stats.held} ${sink.stats.held} ${received.length}`
          quiet = now === before && queue.stats.packets === sent && sink.stats.held === 0 ? quiet + 1 : 0
          before = now
        }
        subscription.unsubscribe()
        while (received.length < sink.stats.packets) await turn()
        conserved(
          { sent, received, drops: [queue.stats.drops, sink.stats.drops], filtered: around.filtered.size },
          flow,
        )
      } finally {
        subscription.unsubscribe()
        for (const one of guests) one.close()
        for (const one of open) one.unsubscribe()
      }
      if (dataPlane().pool.leases !== 0) throw new Error(`${dataPlane().pool.leases} leases are left`)
    },
  )
  await fc.assert(property, { numRuns: 40 })
  t.pass()
})
