// Group C: memory tables that can't be, and tables that fail half-way.
import { closeSync, constants, openSync } from 'node:fs'
import { native } from '../../src/addon/native.js'
import { hostile, passesBothWays } from './support/cases.js'
import type { HostileFrontEnd } from './support/front-end.js'
import { PAGE } from './support/memory.js'
import { isClosed, isRefused } from './support/outcomes.js'
import { memoryTable, REQUEST, type Region } from './support/wire.js'

const TOP = 1n << 64n

interface Bad {
  id: string
  what: string
  reasons: string[]
  /** The table; as many fds as rows unless told otherwise. */
  rows(front: HostileFrontEnd): Region[]
  fds?: number
  /** The count that the table claims, if it is another. */
  count?: number
}

const row = (front: HostileFrontEnd, change: Partial<Region>): Region => ({
  ...front.memory.region(0, 8 * PAGE),
  ...change,
})
/** Rows that do not touch each other. */
const apart = (front: HostileFrontEnd, count: number): Region[] =>
  Array.from({ length: count }, (_, n) => front.memory.region(n * PAGE, PAGE))

const bad: Bad[] = [
  { id: 'C1', what: 'no region', reasons: ['mem_count'], rows: () => [] },
  {
    id: 'C1',
    what: 'nine regions',
    reasons: ['mem_count', 'msg_size'],
    rows: front => apart(front, 9),
    fds: 8,
  },
  {
    id: 'C1',
    what: '2^32-1 regions',
    reasons: ['mem_count'],
    rows: front => apart(front, 1),
    count: 0xffffffff,
  },
  {
    id: 'C1',
    what: 'two regions and one fd',
    reasons: ['mem_count'],
    rows: front => apart(front, 2),
    fds: 1,
  },
  {
    id: 'C1',
    what: 'one region and two fds',
    reasons: ['mem_count'],
    rows: front => apart(front, 1),
    fds: 2,
  },
  {
    id: 'C1',
    what: 'two claimed, one there',
    reasons: ['msg_size'],
    rows: front => apart(front, 1),
    count: 2,
    fds: 2,
  },
  { id: 'C2', what: 'a region of size 0', reasons: ['mem_range'], rows: front => [row(front, { size: 0n })] },
  ...(['guestAddress', 'userAddress', 'offset'] as const).flatMap(member =>
    [TOP - 1n, TOP - 8n * BigInt(PAGE) + 1n].map(value => ({
      id: 'C3',
      what: `${member} ${value.toString(16)} + size beyond 2^64`,
      reasons: ['mem_range'],
      rows: (front: HostileFrontEnd) => [row(front, { [member]: value })],
    })),
  ),
  {
    id: 'C3',
    what: 'a size of 2^64-1',
    reasons: ['mem_range', 'mem_file_size'],
    rows: front => [row(front, { size: TOP - 1n })],
  },
  ...(['guestAddress', 'userAddress'] as const).map(member => ({
    id: 'C4',
    what: `two regions that share one ${member}`,
    reasons: ['mem_overlap'],
    rows(front: HostileFrontEnd) {
      const [one, two] = [front.memory.region(0, 2 * PAGE), front.memory.region(4 * PAGE, 2 * PAGE)]
      return [one, { ...two, [member]: one[member] + one.size - 1n }]
    },
  })),
  {
    id: 'C4',
    what: 'one region twice',
    reasons: ['mem_overlap'],
    rows: front => [front.memory.region(), front.memory.region()],
  },
  {
    id: 'C5',
    what: 'a region that is a byte longer than its file',
    reasons: ['mem_file_size'],
    rows: front => [row(front, { size: BigInt(front.memory.size + PAGE + 1) })],
  },
  {
    id: 'C5',
    what: 'a region that begins behind its file',
    reasons: ['mem_file_size'],
    rows: front => [row(front, { offset: BigInt(front.memory.size + 2 * PAGE) })],
  },
  {
    id: 'C5',
    what: 'a tebibyte of a small file',
    reasons: ['mem_file_size'],
    rows: front => [row(front, { size: 1n << 40n, offset: 0n })],
  },
]

for (const { id, what, reasons, rows, fds, count } of bad)
  hostile(id, `${what}: ${reasons[0]}, and the table before stays in force`, async scene => {
    const front = await scene.run()
    const table = rows(front)
    const payload = memoryTable(table)
    if (count !== undefined) new DataView(payload.buffer).setUint32(0, count, true)
    const sent = [
      REQUEST.SET_MEM_TABLE,
      payload,
      Array(fds ?? table.length).fill(front.memory.token),
    ] as const
    await isRefused(scene, front, sent, ...reasons)
    await passesBothWays(scene.stage, front)
    scene.t.deepEqual(scene.events('ring-stopped'), [])
    front.send(...sent)
    await isClosed(scene, front, ...reasons)
  })

hostile('C5', 'an empty file', async scene => {
  const front = await scene.run()
  const empty = native().rawMemory(0)
  await isRefused(
    scene,
    front,
    [REQUEST.SET_MEM_TABLE, memoryTable(apart(front, 1)), [empty]],
    'mem_file_size',
  )
  native().closeFd(empty)
  await passesBothWays(scene.stage, front)
})

for (const failing of [0, 1, 2])
  hostile(
    'C15',
    `region ${failing} of three can't be mapped: none is, and the table before stays in force`,
    async scene => {
      const front = await scene.run()
      // Memory that may only be read is refused by mmap() itself.
      const number = openSync(`/proc/self/fd/${front.memory.fd}`, constants.O_RDONLY)
      const readOnly = native().rawAdopt(number)
      closeSync(number)
      const fds = [0, 1, 2].map(n => (n === failing ? readOnly : front.memory.token))
      await isRefused(scene, front, [REQUEST.SET_MEM_TABLE, memoryTable(apart(front, 3)), fds], 'mem_map')
      native().closeFd(readOnly)
      await passesBothWays(scene.stage, front)
      scene.t.deepEqual(scene.events('ring-stopped'), [])
    },
  )
