// Group C: memory that comes and goes region by region.
import { hostile, passesBothWays, passesFromGuest, REPEATS } from './support/cases.js'
import { turns } from './support/conditions.js'
import { frameOf, place } from './support/frames.js'
import type { HostileFrontEnd } from './support/front-end.js'
import { PAGE } from './support/memory.js'
import { isRefused, isRefusedBothWays, type Sent } from './support/outcomes.js'
import { oneRegion, PROTOCOL_MIGRATES, REQUEST, type Region } from './support/wire.js'

const add = (front: HostileFrontEnd, region: Region, fds = [front.memory.token]): Sent => [
  REQUEST.ADD_MEM_REG,
  oneRegion(region),
  fds,
]
const remove = (region: Region): Sent => [REQUEST.REM_MEM_REG, oneRegion(region)]
/** Region number n of other addresses, on the pages of the memory's buffers. */
const extra = (front: HostileFrontEnd, n: number): Region => ({
  ...front.memory.region(front.buffers + (n % 16) * PAGE, PAGE),
  guestAddress: (1n << 40n) + BigInt(2 * n * PAGE),
  userAddress: (1n << 44n) + BigInt(2 * n * PAGE),
})

for (const [what, change, reason] of [
  ['overlaps for the guest', { guestAddress: 0x1000_0000n }, 'mem_overlap'],
  ['overlaps for the front end', { userAddress: 0x7f00_0000_0000n }, 'mem_overlap'],
  ['is empty', { size: 0n }, 'mem_range'],
  ['wraps', { guestAddress: (1n << 64n) - 1n }, 'mem_range'],
  ['is behind its file', { offset: 1n << 40n }, 'mem_file_size'],
] as const)
  hostile('C13', `a region that ${what}: refused, and the table is unchanged`, async scene => {
    const front = await scene.run({}, PROTOCOL_MIGRATES)
    await isRefused(scene, front, add(front, { ...extra(front, 0), ...change }), reason)
    await passesBothWays(scene.stage, front)
    await isRefusedBothWays(scene, front, add(front, { ...extra(front, 0), ...change }), reason)
  })

hostile('C13', 'ADD_MEM_REG with no fd, and with two', async scene => {
  const front = await scene.run({}, PROTOCOL_MIGRATES)
  await isRefused(scene, front, add(front, extra(front, 0), []), 'msg_fds')
  const { token } = front.memory
  await isRefused(scene, front, add(front, extra(front, 0), [token, token]), 'msg_fds')
  await passesBothWays(scene.stage, front)
})

hostile('C13', 'ADD_MEM_REG with a kick fd in place of memory', async scene => {
  const front = await scene.run({}, PROTOCOL_MIGRATES)
  await isRefused(scene, front, add(front, extra(front, 0), [front.rings[0].kickFd]), 'fd_type')
  await passesBothWays(scene.stage, front)
})

hostile('C13', 'a region that is there already, and REM_MEM_REG of none or of a part', async scene => {
  const { t, stage } = scene
  const front = await scene.run({}, PROTOCOL_MIGRATES)
  const all = front.memory.region()
  t.is(await front.order(...add(front, all)), 0, 'Q28: QEMU before 8.0 adds once per queue pair')
  t.is(await front.order(...remove(extra(front, 3))), 0, 'Q28: and removes so')
  await isRefused(scene, front, remove({ ...all, size: all.size / 2n }), 'mem_overlap')
  await isRefused(scene, front, remove({ ...all, userAddress: all.userAddress + 1n }), 'mem_overlap')
  t.is(scene.events('memory').length, 1, 'nothing has changed')
  await passesBothWays(stage, front)
})

hostile(
  'C17',
  '509 regions and one more, taken away in another order, under traffic',
  async scene => {
    const { t, stage } = scene
    const front = await scene.run({}, PROTOCOL_MIGRATES)
    for (let n = 0; n < 508; n++) await front.order(...add(front, extra(front, n)))
    t.is(scene.events('memory').at(-1)?.regions.length, 509)
    await isRefused(scene, front, add(front, extra(front, 508)), 'mem_count')
    // A frame whose buffer lies in the last of them.
    const [, ring] = front.rings
    const { length } = place(front, front.buffers + (507 % 16) * PAGE, frameOf(4711))
    const address = extra(front, 507).guestAddress
    ring.descriptor(3, { at: address, length })
    ring.offer(3)
    ring.kick()
    await passesBothWays(stage, front)
    t.true(stage.delivered.some(frame => Buffer.compare(frame, frameOf(4711)) === 0))
    for (let n = 0; n < 508; n++) await front.order(...remove(extra(front, (n * 7) % 508)))
    t.is(scene.events('memory').at(-1)?.regions.length, 1)
    await passesBothWays(stage, front)
    t.deepEqual(scene.faults, [])
  },
  { repeats: 2 },
)

hostile('C14', 'the region of the running rings is removed, and added again', async scene => {
  const { t, stage } = scene
  const front = await scene.run({}, PROTOCOL_MIGRATES)
  await passesBothWays(stage, front)
  t.is(await front.order(...remove(front.memory.region())), 0)
  t.deepEqual(
    scene.events('ring-stopped').map(({ ring, reason }) => [ring, reason]),
    [
      [0, 'memory'],
      [1, 'memory'],
    ],
  )
  // What the front end does to it now is nothing to us, and the other way round.
  const used = front.rings.map(ring => ring.usedIndex)
  const number = 4712
  front.rings[1].descriptor(2, place(front, front.buffers, frameOf(number)))
  front.rings[1].offer(2)
  front.rings[1].kick()
  await turns(8)
  t.deepEqual(
    front.rings.map(ring => ring.usedIndex),
    used,
    'no access after the answer',
  )
  t.is(await front.order(...add(front, front.memory.region())), 0)
  await passesFromGuest(stage, front)
  t.true(stage.delivered.some(frame => Buffer.compare(frame, frameOf(number)) === 0))
  await passesBothWays(stage, front)
})

hostile(
  'C16',
  'a region that comes and goes a thousand times while frames pass',
  async scene => {
    const { t, stage } = scene
    const front = await scene.run({}, PROTOCOL_MIGRATES)
    for (let n = 0; n < 1000; n++) {
      front.send(...add(front, extra(front, 0)))
      await front.order(...remove(extra(front, 0)))
      if (n % 10 === 0) await passesFromGuest(stage, front)
    }
    await front.barrier()
    await passesBothWays(stage, front)
    t.deepEqual(scene.events('ring-stopped'), [])
  },
  { repeats: 3 },
)

const TABLES = 2000
/** 10⁵ tables where all is tested, as the catalogue has it. */
const ROUNDS = Math.max(1, Math.round((REPEATS * 100) / TABLES))
hostile(
  'C16',
  'the same table and another in turn, up to a hundred thousand times while frames pass',
  async scene => {
    const { t, stage } = scene
    const front = await scene.run()
    const half = front.memory.size / 2
    const halves = [front.memory.region(0, half), front.memory.region(half, front.memory.size - half)]
    const tables = [front.regions, front.regions, halves, halves]
    for (let n = 0; n < TABLES; n++) {
      t.is(await front.order(...front.table(tables[n % 4])), 0)
      if (n % 50 === 0) await passesFromGuest(stage, front)
    }
    t.is(scene.events('memory').length, TABLES / 2, 'the same again changes nothing')
    t.deepEqual(scene.events('ring-stopped'), [])
    await passesBothWays(stage, front)
  },
  { repeats: ROUNDS },
)
