// Group F, bounds: rings of the largest size, chains that are long for the sake of it, malformed chains without end, and
// entries that are offered again before they came back. The work for each is bounded, and so is what is in flight.
import type { HeldBurst } from 'rx-vhost'
import { hostile, passesBothWays, type Scene } from './support/cases.js'
import { turns, until } from './support/conditions.js'
import { frameOf, place } from './support/frames.js'
import type { HostileFrontEnd } from './support/front-end.js'
import { A_WHILE, latches } from './support/outcomes.js'
import { type Descriptor, INDIRECT, NEXT, WRITE } from './support/ring.js'

const LARGEST = 32768
const BUDGET = 1024
const largest = { size: LARGEST, memory: 4 << 20 }
const way = (index: number): string => (index === 1 ? 'from guest' : 'to guest')

/** `count` descriptors of length 0, linked, the last to `last` if that is given. */
const empties = (index: number, count: number, last?: number): Descriptor[] =>
  Array.from({ length: count }, (_, n) => {
    const ends = n === count - 1
    const flags = (index === 0 ? WRITE : 0) | (ends && last === undefined ? 0 : NEXT)
    return { at: 0n, length: 0, flags, next: ends ? last : n + 1 }
  })

for (const index of [1, 0]) {
  hostile(
    'F7',
    `a cycle through all of ${LARGEST} descriptors, ${way(index)}: chain_loop`,
    async scene => {
      const front = await scene.run(largest)
      await latches(scene, front, index, 'chain_loop', () => {
        const ring = front.rings[index]
        ring.table(ring.descriptorsAt, empties(index, LARGEST, 0), true)
        ring.offer(0)
      })
    },
    { repeats: 3 },
  )

  // A ring full of these would take 1,073,741,824 steps.
  for (const [what, prepare] of [
    [
      `chains of ${LARGEST} empty descriptors`,
      (front: HostileFrontEnd) => {
        const ring = front.rings[index]
        ring.table(ring.descriptorsAt, empties(index, LARGEST), true)
      },
    ],
    [
      `${LARGEST} empty descriptors in tables at odd addresses`,
      (front: HostileFrontEnd) => {
        const at = front.buffers + 4097
        front.rings[index].table(at, empties(index, LARGEST), true)
        for (let head = 0; head < 256; head++)
          front.rings[index].descriptor(head, { at, length: 16 * LARGEST, flags: INDIRECT })
      },
    ],
  ] as const)
    hostile(
      'F13',
      `${what}, ${way(index)}, use up the ring's budget soon: malformed_budget`,
      async scene => {
        const front = await scene.run(largest)
        await latches(scene, front, index, 'malformed_budget', () => {
          prepare(front)
          front.rings[index].offer(...Array(256).keys())
        })
        const { usedIndex } = front.rings[index]
        scene.t.true(usedIndex < 32, `${usedIndex} chains were followed`)
      },
      { repeats: 3 },
    )
}

hostile(
  'F14',
  'as many malformed chains in a row as the budget has are drops, one more latches the ring',
  async scene => {
    const front = await scene.run({ size: 256 })
    const [, ring] = front.rings
    ring.descriptor(0, { at: front.buffers, length: 3 })
    const some = Array(128).fill(0)
    for (let i = 0; i < BUDGET / some.length; i++) await offerBad(scene, front, some)
    scene.t.deepEqual(scene.faults, [])
    // A good one refills the budget.
    ring.descriptor(1, place(front, front.buffers + 64, frameOf(1)))
    ring.offer(1)
    for (let i = 0; i < BUDGET / some.length; i++) await offerBad(scene, front, some)
    scene.t.deepEqual(scene.faults, [])
    await latches(scene, front, 1, 'malformed_budget', () => {
      ring.descriptor(0, { at: front.buffers, length: 3 })
      ring.offer(0, 0, 0, 0)
    })
    scene.t.is(scene.drops('fromGuest', 'short'), 2 * BUDGET + 1, 'what comes behind it is not looked at')
  },
  { repeats: 20 },
)

async function offerBad(scene: Scene, { rings: [, ring] }: HostileFrontEnd, heads: number[]): Promise<void> {
  // One at a time is in flight: a head may be offered again once it came back.
  const before = scene.drops('fromGuest', 'short')
  for (const [n, head] of heads.entries()) {
    ring.offer(head)
    ring.kick()
    await until('a drop', () => scene.drops('fromGuest', 'short') === before + n + 1)
  }
}

hostile(
  'F3',
  'entries offered again while all of the ring is in flight: avail_jump, and the leases stay good',
  async scene => {
    const { t, stage } = scene
    const size = 2048
    const front = await scene.run({ size, memory: 1 << 20 })
    const [, ring] = front.rings
    const held: HeldBurst[] = []
    const count = (): number => held.reduce((sum, burst) => sum + burst.length, 0)
    stage.onBurst = burst => held.push(burst.retain())
    const frame = place(front, front.buffers, frameOf(3))
    for (let head = 0; head < size; head++) ring.descriptor(head, frame)
    ring.offer(...Array(size).keys())
    ring.kick()
    // The queue's credit is half of the ring.
    await until('all credit to be used', () => count() === size / 2)
    await turns(A_WHILE)
    t.is(count(), size / 2)
    ring.publish(2 * size + 1)
    stage.onBurst = undefined
    for (const burst of held) {
      for (const packet of burst) t.is(packet.uint32(14), 3)
      burst.release()
    }
    await until('the fault', () => scene.faults.length > 0)
    t.deepEqual(
      scene.faults.map(({ reason }) => reason),
      ['avail_jump'],
    )
    t.is(stage.delivered.length, size / 2)
    t.is(ring.usedIndex, size)
    await front.renew(1)
    await passesBothWays(stage, front)
  },
  { repeats: 20 },
)
