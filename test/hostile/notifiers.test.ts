// Group D: eventfds that wake us for ever, and eventfds that would make us wait for ever.
import { writeSync } from 'node:fs'
import { native } from '../../src/addon/native.js'
import { hostile, passesBothWays, passesFromGuest } from './support/cases.js'
import { turns, until } from './support/conditions.js'
import type { HostileFrontEnd } from './support/front-end.js'
import { FEATURE_BITS, REQUEST, u64 } from './support/wire.js'

const setUpWith = async (
  front: HostileFrontEnd,
  index: number,
  kick: number,
  call: number,
): Promise<void> => {
  front.send(REQUEST.SET_VRING_KICK, u64(BigInt(index)), [kick])
  front.send(REQUEST.SET_VRING_CALL, u64(BigInt(index)), [call])
  await front.barrier()
}

for (const [with_, features] of [
  ['without', FEATURE_BITS.usual],
  ['with', FEATURE_BITS.usual | FEATURE_BITS.EVENT_IDX],
] as const)
  hostile(
    'D14',
    `one eventfd is kick and call, ${with_} the event index: we do not wake ourselves for ever`,
    async scene => {
      const { t, stage } = scene
      const front = await scene.run({ features })
      const [, ring] = front.rings
      await setUpWith(front, 1, ring.kickFd, ring.kickFd)
      await passesBothWays(stage, front)
      // Once the ring has been found empty, nothing more is signalled.
      await turns(8)
      ring.take(ring.kickFd)
      const quiet = await until('silence', () => (ring.take(ring.kickFd) === 0 ? 'quiet' : undefined))
      await turns(32)
      t.is(ring.take(ring.kickFd), 0, quiet)
      await passesBothWays(stage, front)
      t.deepEqual(scene.faults, [])
    },
  )

hostile(
  'D14',
  'both rings have one kick, and it never rests',
  async scene => {
    const { t, stage, sibling } = scene
    const front = await scene.run()
    const [to, from] = front.rings
    await passesBothWays(stage, front)
    await setUpWith(front, 0, from.kickFd, to.callFd)
    // Until the sibling has moved its frames, there is a kick without work in every turn.
    const moving = { done: false }
    const moved = sibling.move(2000).finally(() => {
      moving.done = true
    })
    for (let kicks = 0; kicks < 200 || !moving.done; kicks++) {
      from.kick()
      await turns(1)
    }
    await moved
    await passesFromGuest(stage, front)
    t.deepEqual(scene.faults, [])
  },
  { repeats: 1, siblingFrames: 0 },
)

const fill = (token: number): void => {
  writeSync(native().rawNumber(token), new BigUint64Array([0xffff_ffff_ffff_fffen]))
}

hostile('D15', 'a call eventfd that is full: the frames pass, and nobody waits', async scene => {
  const { t, stage } = scene
  const front = await scene.connect()
  const [, ring] = front.rings
  native().rawBlocking(ring.callFd, true)
  fill(ring.callFd)
  await front.run()
  for (let n = 0; n < 4; n++) await passesFromGuest(stage, front)
  t.deepEqual(scene.faults, [])
})

hostile(
  'D15',
  'a call eventfd that is full and made to block behind our back: it is not written, and nobody waits',
  async scene => {
    const { t, stage } = scene
    const front = await scene.run()
    const [, ring] = front.rings
    await passesBothWays(stage, front)
    ring.take(ring.callFd)
    fill(ring.callFd)
    native().rawBlocking(ring.callFd, true)
    for (let n = 0; n < 4; n++) await passesFromGuest(stage, front)
    t.deepEqual(scene.faults, [])
    native().rawBlocking(ring.callFd, false)
    ring.take(ring.callFd)
    await passesBothWays(stage, front)
    t.is(ring.take(ring.callFd), 1)
  },
  { repeats: 10 },
)

hostile(
  'D15',
  'an error eventfd that is full and blocks (D19): the fault is told all the same',
  async scene => {
    const { t } = scene
    const front = await scene.run()
    const [, ring] = front.rings
    fill(ring.errorFd)
    native().rawBlocking(ring.errorFd, true)
    ring.offer(999)
    ring.kick()
    await until('the fault', () => scene.faults.length > 0)
    t.deepEqual(
      scene.faults.map(({ reason }) => reason),
      ['head_range'],
    )
    native().rawBlocking(ring.errorFd, false)
  },
  { repeats: 10 },
)
