// Risk: a predicate that throws costs more than its packet: the burst around it, the order, or the pipeline for good.
import test from 'ava'
import { retry } from 'rxjs'
import type { Packet } from '../../src/index.js'
import { enqueue, filterPackets } from '../../src/operators/index.js'
import { scene } from './support/scene.js'

test.beforeEach(t => t.timeout(120_000))

const FRAMES = 5000
/** The first and the last, two in a row, and one in the middle of what was left of a burst by another. */
const THROWS = [1, 100, 101, 115, 2500, FRAMES]

for (const form of ['bursts', 'packets'] as const)
  test.serial(
    `over ${form}: one packet and one counted drop each, and retry() goes on behind it`,
    async t => {
      const it = scene(t)
      const [a, b] = [it.driver('a'), it.driver('b')]
      // Another use of each driver, such as watching for faults, keeps its connection while the pipeline is renewed.
      for (const driver of [a, b]) it.running(driver.subscribe())
      let packets = 0
      const predicate = (packet: Packet) => {
        if (THROWS.includes(++packets)) throw new Error(`packet ${packets} of ${packet.length} bytes`)
        return true
      }
      const errors: string[] = []
      const delay = (error: Error) => {
        errors.push(error.message)
        return [0]
      }
      const out =
        form === 'bursts'
          ? a.fromGuest().pipe(filterPackets(predicate), enqueue(b.toGuest()), retry({ delay }))
          : a.fromGuest().packets.pipe(filterPackets(predicate), enqueue(b.toGuest()), retry({ delay }))
      it.running(out.subscribe())
      const [from, to] = [await it.guest(a), await it.guest(b)]
      to.check({ adopt: true }) // the first number is among those that throw
      const sent = from.generate({ frames: FRAMES, length: [64, 1514] })
      const arriving = FRAMES - THROWS.length
      const report = await to.whenReceived(arriving)
      t.is(await sent, FRAMES)
      t.is(packets, FRAMES, 'each packet was shown to the predicate once')
      t.is(errors.length, THROWS.length)
      t.deepEqual(a.fromGuest().stats.drops, { 'pipeline-error': THROWS.length })
      // Neither the first nor the last leaves a gap between numbers that arrived.
      t.like(report, {
        received: arriving,
        lost: THROWS.length - 2,
        reordered: 0,
        duplicated: 0,
        corrupted: 0,
      })
      t.is(a.fromGuest().stats.held, 0)
    },
  )
