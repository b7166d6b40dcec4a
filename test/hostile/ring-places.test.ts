// Group D: rings in places where they can't be, and where they had better not be.
import { hostile, passesBothWays } from './support/cases.js'
import type { HostileFrontEnd } from './support/front-end.js'
import { PAGE } from './support/memory.js'
import { provoke } from './support/outcomes.js'
import { address, REQUEST, type Region, type RingAddresses, state, u64 } from './support/wire.js'

type Parts = Partial<RingAddresses>
interface Place {
  what: string
  parts(front: HostileFrontEnd): Parts
  regions?(memory: HostileFrontEnd['memory']): Region[]
}

const end = (front: HostileFrontEnd): bigint => front.memory.user(front.memory.size)
const bytesOf = (size: number) => ({ descriptors: 16 * size, available: 6 + 2 * size, used: 6 + 8 * size })
const members = ['descriptors', 'available', 'used'] as const
const two = (memory: HostileFrontEnd['memory'], gap: number): Region[] => [
  memory.region(0, 8 * PAGE),
  memory.region((8 + gap) * PAGE, memory.size - (8 + gap) * PAGE),
]
const places: Place[] = members.flatMap(member => [
  { what: `${member} below all memory`, parts: () => ({ [member]: 0x1000n }) },
  { what: `${member} above all memory`, parts: front => ({ [member]: end(front) }) },
  { what: `${member} that wrap`, parts: () => ({ [member]: (1n << 64n) - 16n }) },
  {
    what: `${member} that end past the region`,
    parts: front => ({ [member]: ((end(front) - BigInt(bytesOf(16)[member])) & ~15n) + 16n }),
  },
  {
    what: `${member} across two regions side by side`,
    parts: front => ({ [member]: front.memory.user(8 * PAGE - 16) }),
    regions: memory => two(memory, 0),
  },
  {
    what: `${member} in the hole between two regions`,
    parts: front => ({ [member]: front.memory.user(8 * PAGE + 64) }),
    regions: memory => two(memory, 1),
  },
])

for (const { what, parts, regions } of places)
  hostile('D4', `${what}: told as vq_addr when the ring would start`, async scene => {
    const { t, stage } = scene
    const front = await scene.connect(regions && { regions })
    front.negotiate()
    front.shareMemory()
    front.setUp(0)
    await front.barrier()
    const ring = front.rings[1]
    front.send(REQUEST.SET_VRING_NUM, state(1, ring.size))
    front.send(REQUEST.SET_VRING_ADDR, address(1, { ...ring.addresses, ...parts(front) }))
    front.send(REQUEST.SET_VRING_ENABLE, state(1, 1))
    await front.barrier()
    t.deepEqual(scene.faults, [])
    t.is(await front.order(REQUEST.SET_VRING_KICK, u64(1n), [ring.kickFd]), 1)
    await provoke(scene, front, 1)
    t.deepEqual(
      scene.faults.map(({ reason, ring }) => [reason, ring]),
      [['vq_addr', 1]],
    )
    t.false(scene.events('ring-started').some(event => event.ring === 1))
    front.setUp(1)
    await front.barrier()
    await passesBothWays(stage, front)
  })

hostile('D5', 'a size that is larger than what the addresses were told for is checked anew', async scene => {
  const { t, stage } = scene
  const front = await scene.run()
  const ring = front.rings[1]
  await front.ask(REQUEST.GET_VRING_BASE, state(1, 0))
  // The used part of 16 entries ends with the memory; that of 1024 would end far behind it.
  const used = front.memory.user(front.memory.size - 256)
  front.send(REQUEST.SET_VRING_ADDR, address(1, { ...ring.addresses, used }))
  front.send(REQUEST.SET_VRING_NUM, state(1, 1024))
  t.is(await front.order(REQUEST.SET_VRING_KICK, u64(1n), [ring.kickFd]), 1)
  await provoke(scene, front, 1)
  t.deepEqual(
    scene.faults.map(({ reason }) => reason),
    ['vq_addr'],
  )
  await front.renew(1)
  await passesBothWays(stage, front)
})

for (const [one, other, fine] of [
  ['used', 'descriptors', false],
  ['used', 'available', false],
  ['available', 'descriptors', true],
] as const)
  hostile(
    'D8',
    `${one} and ${other} in one place: ${fine ? 'only its own guest is harmed' : 'vq_addr'}`,
    async scene => {
      const { t } = scene
      const front = await scene.connect()
      front.negotiate()
      front.shareMemory()
      front.setUp(0)
      const { addresses } = front.rings[1]
      front.setUp(1)
      await front.ask(REQUEST.GET_VRING_BASE, state(1, 0))
      front.send(REQUEST.SET_VRING_ADDR, address(1, { ...addresses, [one]: addresses[other] }))
      t.is(await front.order(REQUEST.SET_VRING_KICK, u64(1n), [front.rings[1].kickFd]), fine ? 0 : 1)
      front.rings[1].availableAt = front.rings[1].descriptorsAt
      if (fine) front.rings[1].offer(0, 1, 2)
      await provoke(scene, front, 1)
      if (!fine)
        t.deepEqual(
          scene.faults.map(({ reason }) => reason),
          ['vq_addr'],
        )
      t.deepEqual(scene.events('closed'), [])
    },
  )

hostile('D8', 'a used ring that is also a packet, a buffer and another ring', async scene => {
  const { t, stage } = scene
  const front = await scene.run()
  const [to, from] = front.rings
  // Out of the guest: bytes of the used ring are the packet. Into it: the buffer is the other ring's used part.
  from.descriptor(0, { at: from.usedAt, length: 100 })
  to.descriptor(0, { at: from.usedAt, length: 128, flags: 2 })
  to.offer(0)
  from.offer(0, 0 + 1)
  await provoke(scene, front, 1)
  await provoke(scene, front, 0)
  t.deepEqual(scene.events('closed'), [])
  for (const { index } of front.rings) await front.renew(index)
  await passesBothWays(stage, front)
})
