// C7: the file behind the guest's memory is truncated. The process and its other devices live; this device's rings
// stop, told as one fault, and new memory mends them. Native code has the same at the level of a burst.
import type { HeldBurst } from 'rx-vhost'
import { hostile, passesBothWays, type Scene } from './support/cases.js'
import { turns, until } from './support/conditions.js'
import { frameOf, place, room } from './support/frames.js'
import type { HostileFrontEnd } from './support/front-end.js'
import { PAGE } from './support/memory.js'
import { A_WHILE } from './support/outcomes.js'
import { REQUEST, state } from './support/wire.js'

/** DBRK: one fault, both rings stopped, bases still told; the same table again, with a file behind it, mends all. */
async function isRevoked(scene: Scene, front: HostileFrontEnd): Promise<void> {
  const { t, stage } = scene
  await until('the fault', () => scene.faults.length > 0)
  for (const ring of front.rings) ring.kick()
  stage.feed(frameOf(1))
  await turns(A_WHILE)
  t.deepEqual(
    scene.faults.map(({ code, reason, detail }) => [code, reason, detail]),
    [['ERR_VHOST_MEMORY_REVOKED', 'memory_revoked', 'truncated']],
    'one fault',
  )
  const stopped = scene.events('ring-stopped').map(({ ring, reason }) => `${ring} ${reason}`)
  t.deepEqual(stopped.sort(), ['0 memory_revoked', '1 memory_revoked'])
  for (const { index } of front.rings) await front.ask(REQUEST.GET_VRING_BASE, state(index, 0))

  front.memory.restore()
  t.is(await front.order(...front.table()), 0, 'the same table is mapped anew')
  for (const ring of front.rings) {
    ring.clear()
    front.setUp(ring.index)
  }
  await front.barrier()
  await passesBothWays(stage, front)
  t.is(scene.faults.length, 1)
}

const offer = (front: HostileFrontEnd, at: number, heads: number[]): void => {
  for (const head of heads) front.rings[1].descriptor(head, place(front, at + 256 * head, frameOf(head)))
  front.rings[1].offer(...heads)
}

hostile('C7', 'truncated while idle, noticed at the next kick', async scene => {
  const front = await scene.run()
  await passesBothWays(scene.stage, front)
  front.memory.truncate(0)
  front.rings[1].kick()
  await isRevoked(scene, front)
})

hostile('C7', 'truncated within a packet: what was copied of the burst is not passed on', async scene => {
  const front = await scene.run()
  const edge = front.buffers + 4 * PAGE
  // Chain 0 is whole, chain 1 lies across the edge, and chain 2 is whole again.
  front.rings[1].descriptor(0, place(front, front.buffers, frameOf(1)))
  front.rings[1].descriptor(1, place(front, edge - 100, frameOf(2, 600)))
  front.rings[1].descriptor(2, place(front, front.buffers + 512, frameOf(3)))
  front.rings[1].offer(0, 1, 2)
  front.memory.truncate(edge)
  const used = front.rings[1].usedIndex
  front.rings[1].kick()
  await until('the fault', () => scene.faults.length > 0)
  scene.t.deepEqual(scene.stage.delivered, [])
  scene.t.is(front.rings[1].usedIndex, used)
  scene.t.true(scene.drops('fromGuest', 'revoked') > 0)
  await isRevoked(scene, front)
})

hostile('C7', 'truncated within a packet for the guest', async scene => {
  const front = await scene.run()
  const edge = front.buffers + 4 * PAGE
  front.rings[0].descriptor(0, room(edge - 40))
  front.rings[0].offer(0)
  front.memory.truncate(edge)
  scene.stage.feed(frameOf(9, 1000))
  await isRevoked(scene, front)
})

hostile('C7', 'truncated within the ring: the used part is gone', async scene => {
  const front = await scene.connect()
  const [, ring] = front.rings
  ring.usedAt = front.memory.size - 4 * PAGE
  await front.run()
  offer(front, front.buffers, [0, 1, 2])
  front.memory.truncate(ring.usedAt)
  ring.kick()
  await isRevoked(scene, front)
})

hostile('C7', 'truncated while leases are held: they still read as they were', async scene => {
  const { t, stage } = scene
  const front = await scene.run()
  const held: HeldBurst[] = []
  stage.onBurst = burst => held.push(burst.retain())
  offer(front, front.buffers, [0, 1, 2, 3])
  front.rings[1].kick()
  await until('the leases', () => held.reduce((sum, burst) => sum + burst.length, 0) === 4)
  front.memory.truncate(0)
  front.rings[1].kick()
  await until('the fault', () => scene.faults.length > 0)
  const frames = held.flatMap(burst => [...burst].map(packet => packet.toBuffer()))
  frames.forEach((frame, n) => {
    t.is(Buffer.compare(frame, frameOf(n)), 0)
  })
  for (const burst of held) burst.release()
  stage.onBurst = undefined
  await isRevoked(scene, front)
})

hostile('C7', 'truncated between the table and the start of the rings', async scene => {
  const front = await scene.connect()
  front.negotiate()
  front.shareMemory()
  await front.barrier()
  front.memory.truncate(0)
  for (const { index } of front.rings) front.setUp(index)
  await front.barrier()
  for (const ring of front.rings) ring.kick()
  scene.stage.feed(frameOf(1))
  await until('a fault', () => scene.faults.length > 0)
  await turns(A_WHILE)
  const faults = scene.faults.map(({ code, reason, detail }) => [code, reason, detail])
  scene.t.deepEqual(faults, [['ERR_VHOST_MEMORY_REVOKED', 'memory_revoked', 'truncated']])
  scene.t.is(scene.events('ring-started').length, scene.events('ring-stopped').length, 'no ring runs on')
  scene.t.deepEqual(scene.events('closed'), [])
})
