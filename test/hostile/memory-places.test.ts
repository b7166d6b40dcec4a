// Group C: memory that is mapped although it looks odd: at bytes that begin no page, at the end of all addresses, larger
// than any machine. What was shared is there to the byte, and nothing beside it.
import { readFileSync } from 'node:fs'
import { hostile, passesBothWays } from './support/cases.js'
import { frameOf, place } from './support/frames.js'
import type { FrontEndOptions } from './support/front-end.js'
import { PAGE } from './support/memory.js'
import { areDelivered, areDropped } from './support/outcomes.js'

const TOP = 1n << 64n
const ODD = 100
/** Bytes of the region that begins at no page and ends at none. */
const ODD_SIZE = 3 * PAGE + 37

hostile('C6', 'rings in a region at no page of its file, and of no whole number of pages', async scene => {
  // Pages before and after what is shared are the canaries, of which this region has a part.
  const front = await scene.run({ regions: memory => [memory.region(-ODD, memory.size + ODD + 37)] })
  await passesBothWays(scene.stage, front)
  scene.t.deepEqual(scene.faults, [])
})

hostile('C6', 'a region at no page, shared to the byte: its first and last, and none beside', async scene => {
  const front = await scene.run({
    regions: memory => [
      memory.region(0, 8 * PAGE),
      memory.region(8 * PAGE + ODD, ODD_SIZE),
      memory.region(16 * PAGE, memory.size - 16 * PAGE),
    ],
  })
  const first = 8 * PAGE + ODD
  const end = first + ODD_SIZE
  const frame = frameOf(1)
  for (const at of [first, end - 72]) {
    front.rings[1].descriptor(0, place(front, at, frame))
    await areDelivered(scene, front, [0], [frame])
  }
  for (const at of [first - 1, end - 71]) {
    front.rings[1].descriptor(0, place(front, at, frame))
    await areDropped(scene, front, 'address', [0])
  }
  await passesBothWays(scene.stage, front)
})

/** One page of what is shared lies at the last addresses there are, and another at the first. */
const atTheTop: FrontEndOptions = {
  regions: memory => [
    memory.region(0, 8 * PAGE),
    { ...memory.region(8 * PAGE, PAGE), guestAddress: TOP - BigInt(PAGE), userAddress: TOP - BigInt(PAGE) },
    { ...memory.region(10 * PAGE, PAGE), guestAddress: 0n, userAddress: 0n },
    memory.region(12 * PAGE, memory.size - 12 * PAGE),
  ],
}

hostile('C20', 'a buffer that ends with the last address there is, 2^64-1', async scene => {
  const front = await scene.run(atTheTop)
  const frame = frameOf(1)
  place(front, 9 * PAGE - 72, frame)
  front.rings[1].descriptor(0, { at: TOP - 72n, length: 72 })
  await areDelivered(scene, front, [0], [frame])
})

for (const [what, at] of [
  ['begins with the last byte, and would go on at 0', TOP - 1n],
  ['has 40 of its bytes there, and the others would be at 0', TOP - 40n],
  ['begins below the region at the top', TOP - BigInt(PAGE) - 1n],
] as const)
  hostile('C20', `a buffer that ${what}: dropped`, async scene => {
    const front = await scene.run(atTheTop)
    front.rings[1].descriptor(0, { at, length: 72 })
    await areDropped(scene, front, 'address', [0])
  })

for (const offset of [11 * PAGE, 12 * PAGE - 1])
  hostile('C20', `a buffer that begins at byte ${offset % PAGE} of the hole between regions`, async scene => {
    const front = await scene.run(atTheTop)
    front.rings[1].descriptor(0, { at: offset, length: 72 })
    await areDropped(scene, front, 'address', [0])
  })

/** The lines of /proc/self/smaps about the guest's memory: by name, in KiB where it is a size. */
function guestMappings(): Record<string, string>[] {
  const found: Record<string, string>[] = []
  let current: Record<string, string> | undefined
  for (const line of readFileSync('/proc/self/smaps', 'utf8').split('\n')) {
    const [, name, value] = /^(\w+):\s*(.*?)(?: kB)?\s*$/.exec(line) ?? []
    if (name !== undefined && current) current[name] = value
    else if (name === undefined) {
      current = line.includes('hostile-guest') ? {} : undefined
      if (current) found.push(current)
    }
  }
  return found
}

let told = false
hostile(
  'C21',
  'a tebibyte of sparse memory: mapped without being populated or accounted for, and frames pass',
  async scene => {
    const { t, stage } = scene
    const front = await scene.connect({ memory: 2 ** 40 })
    front.negotiate()
    const sent = performance.now()
    t.is(await front.order(...front.table()), 0)
    if (!told) t.log(`${(performance.now() - sent).toFixed(2)} ms from the message to its answer`)
    told = true
    for (const { index } of front.rings) front.setUp(index)
    await passesBothWays(stage, front)
    const [mapping, ...more] = guestMappings()
    t.deepEqual(more, [])
    t.true(Number(mapping.Size) >= 2 ** 30, `${mapping.Size} KiB are mapped`)
    // What frames and rings have touched, and not what was mapped.
    t.true(Number(mapping.Rss) <= 1024, `${mapping.Rss} KiB are resident`)
    t.true(mapping.VmFlags.split(' ').includes('nr'), 'no swap space is reserved for it')
  },
  { repeats: 10 },
)

hostile(
  'C22',
  'guest memory is no part of a core dump, whichever way its region came',
  async scene => {
    const { t, stage } = scene
    const front = await scene.run({
      regions: memory => [memory.region(0, 8 * PAGE), memory.region(8 * PAGE, memory.size - 8 * PAGE)],
    })
    await passesBothWays(stage, front)
    const mappings = guestMappings()
    t.is(mappings.length, 2)
    for (const { VmFlags } of mappings) t.true(VmFlags.split(' ').includes('dd'), VmFlags)
  },
  { repeats: 10 },
)
