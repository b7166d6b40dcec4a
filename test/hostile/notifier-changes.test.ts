// Group D: notifiers that come without end, that are replaced all the time, and that are not there at all.
import { writeSync } from 'node:fs'
import { native } from '../../src/addon/native.js'
import { hostile, passesBothWays, passesFromGuest } from './support/cases.js'
import { turn, turns, until } from './support/conditions.js'
import type { HostileFrontEnd } from './support/front-end.js'
import { REQUEST, u64 } from './support/wire.js'

/** VHOST_USER_VRING_NOFD_MASK */
const NO_FD = 0x100n

hostile(
  'D16',
  'kicks without work, as fast as they can be written: the other devices move, and so does this one',
  async scene => {
    const { t, stage, sibling } = scene
    const front = await scene.run()
    const kick = native().rawNumber(front.rings[1].kickFd)
    const one = new BigUint64Array([1n])
    await passesBothWays(stage, front)
    const moving = { done: false }
    const moved = sibling.move(2000).finally(() => {
      moving.done = true
    })
    // A thousand in a turn, some of them with a frame among them.
    for (let round = 0; round < 50 || !moving.done; round++) {
      for (let n = 0; n < 1000; n++) writeSync(kick, one)
      if (round % 10 === 0) await passesFromGuest(stage, front)
      await turn()
    }
    await moved
    await passesBothWays(stage, front)
    t.deepEqual(scene.faults, [])
  },
  { repeats: 1, siblingFrames: 0 },
)

hostile(
  'D17',
  'the call is replaced between any two frames: none is lost, and each new one is signalled at once',
  async scene => {
    const { t, stage } = scene
    const front = await scene.run()
    const [to, from] = front.rings
    for (let n = 0; n < 16; n++) {
      const calls = [0, 1].map(() => native().rawEventfd())
      for (const { index } of front.rings)
        front.send(REQUEST.SET_VRING_CALL, u64(BigInt(index)), [calls[index]])
      await front.barrier()
      // Whatever was used while the old one was no longer looked at, and the new one not yet there.
      for (const call of calls) t.is(from.take(call), 1, 'one notification after the change')
      await passesBothWays(stage, front)
      t.is(await until('a call', () => from.take(calls[1])), 1)
      t.true((await until('a call', () => to.take(calls[0]))) > 0)
      for (const call of calls) native().closeFd(call)
    }
    t.deepEqual(scene.events('ring-stopped'), [])
    t.deepEqual(scene.faults, [])
  },
  { repeats: 20 },
)

hostile(
  'D17',
  'no call at all between two, as QEMU masks an interrupt: told when it is back',
  async scene => {
    const { t, stage } = scene
    const front = await scene.run()
    const [, ring] = front.rings
    await passesFromGuest(stage, front)
    ring.take(ring.callFd)
    front.send(REQUEST.SET_VRING_CALL, u64(NO_FD | 1n))
    await front.barrier()
    await passesFromGuest(stage, front)
    await turns(4)
    t.is(ring.take(ring.callFd), 0, 'masked')
    front.send(REQUEST.SET_VRING_CALL, u64(1n), [ring.callFd])
    await front.barrier()
    t.is(ring.take(ring.callFd), 1, 'told of what came meanwhile')
    await passesBothWays(stage, front)
    t.deepEqual(scene.faults, [])
  },
)

async function runWithoutKicks(front: HostileFrontEnd): Promise<void> {
  front.negotiate()
  front.shareMemory()
  for (const { index } of front.rings) {
    front.setUp(index)
    front.send(REQUEST.SET_VRING_KICK, u64(NO_FD | BigInt(index)))
  }
  await front.barrier()
}

hostile('D18', 'rings without a kick are polled: frames pass both ways', async scene => {
  const { t, stage } = scene
  const front = await scene.connect()
  await runWithoutKicks(front)
  for (let n = 0; n < 4; n++) await passesBothWays(stage, front)
  t.deepEqual(scene.faults, [])
  // And kicks come back.
  for (const { index, kickFd } of front.rings)
    front.send(REQUEST.SET_VRING_KICK, u64(BigInt(index)), [kickFd])
  await front.barrier()
  await passesBothWays(stage, front)
})

hostile(
  'D18',
  'an empty ring without a kick is polled by a timer, not in every turn',
  async scene => {
    const { t, stage } = scene
    const front = await scene.connect()
    await runWithoutKicks(front)
    await passesBothWays(stage, front)
    const addon = native()
    const { arm } = addon
    let looks = 0
    addon.arm = handle => {
      looks++
      return arm.call(addon, handle)
    }
    // Our own timer of the shortest time there is stands for the share that they may have: it is as late as theirs.
    let ticks = 0
    const timer = setInterval(() => ticks++, 1)
    try {
      await until('time to pass', () => ticks >= 200)
    } finally {
      clearInterval(timer)
      addon.arm = arm
    }
    t.true(looks > 0, 'it is polled')
    t.true(looks <= 4 * ticks, `two rings were looked at ${looks} times in ${ticks} ticks`)
    await passesBothWays(stage, front)
  },
  { repeats: 1, siblingFrames: 0 },
)

for (const [what, without] of [
  ['was never given', undefined],
  ['was taken back', u64(NO_FD | 1n)],
] as const)
  hostile('D19', `an error fd that ${what}: the fault is told all the same`, async scene => {
    const { t, stage } = scene
    const front = await scene.connect()
    const [, ring] = front.rings
    front.negotiate()
    front.shareMemory()
    front.setUp(0)
    if (without) {
      front.setUp(1)
      front.send(REQUEST.SET_VRING_ERR, without)
    } else startWithoutError(front)
    await front.barrier()
    await passesBothWays(stage, front)
    ring.offer(999)
    ring.kick()
    await until('the fault', () => scene.faults.length > 0)
    t.deepEqual(
      scene.faults.map(({ reason, ring }) => [reason, ring]),
      [['head_range', 1]],
    )
    t.is(ring.take(ring.errorFd), 0)
    await front.renew(1)
    await passesBothWays(stage, front)
  })

/** As `setUp` of ring 1, without SET_VRING_ERR. */
function startWithoutError(front: HostileFrontEnd): void {
  const { send } = front
  front.send = (request, ...rest) => {
    if (request !== REQUEST.SET_VRING_ERR) send.call(front, request, ...rest)
  }
  front.setUp(1)
  front.send = send
}
