// Group F, what must work: headers cut in any way, buffers and tables across regions, lengths of nothing; and what we
// write ourselves (F24), and receive buffers that are too small (F27).
import { hostile } from './support/cases.js'
import { turns, until } from './support/conditions.js'
import { frameOf, HEADER, place, room } from './support/frames.js'
import type { FrontEndOptions, HostileFrontEnd } from './support/front-end.js'
import { PAGE } from './support/memory.js'
import { A_WHILE, areDelivered, picture, receives } from './support/outcomes.js'
import { type Descriptor, INDIRECT } from './support/ring.js'
import { FEATURE_BITS } from './support/wire.js'

const FRAME = frameOf(1, 300)
const MERGEABLE = FEATURE_BITS.usual | FEATURE_BITS.MRG_RXBUF

/** The packet at the beginning of the buffers, as descriptors of these lengths; the last takes the rest. */
function cut(front: HostileFrontEnd, ...lengths: number[]): Descriptor[] {
  const whole = place(front, front.buffers, FRAME)
  const pieces: Descriptor[] = []
  let at = front.buffers
  for (const length of lengths) {
    pieces.push({ at, length })
    at += length
  }
  return [...pieces, { at, length: whole.length - (at - front.buffers) }]
}

/** Two regions that are neighbours in the guest and strangers in the front end, cut at `at`. */
const neighbours = (at: number): FrontEndOptions => ({
  regions: memory => {
    const [one, two] = [memory.region(0, at), memory.region(at, memory.size - at)]
    return [one, { ...two, userAddress: two.userAddress + (1n << 32n) }]
  },
})

const EDGE = 8 * PAGE
interface Good {
  id: string
  what: string
  options?: FrontEndOptions
  chain(front: HostileFrontEnd): Descriptor[] | 'indirect'
}

const table = (front: HostileFrontEnd, at: number, entries: Descriptor[]): 'indirect' => {
  front.rings[1].table(at, entries)
  front.rings[1].descriptor(0, { at, length: 16 * entries.length, flags: INDIRECT })
  return 'indirect'
}

const nowhere: Descriptor = { at: 0xdead_0000_0000n, length: 0 }
const cases: Good[] = [
  { id: 'F12', what: 'length 0 at no address, first', chain: front => [nowhere, ...cut(front)] },
  { id: 'F12', what: 'length 0 at no address, last', chain: front => [...cut(front), nowhere] },
  {
    id: 'F12',
    what: 'length 0 at no address, between',
    chain: front => cut(front, HEADER).flatMap(d => [nowhere, d]),
  },
  { id: 'F15', what: 'a header of 1 + 11 bytes', chain: front => cut(front, 1, 11) },
  { id: 'F15', what: 'a header of 11 + 1 bytes', chain: front => cut(front, 11, 1) },
  { id: 'F15', what: 'a header of 12 single bytes', chain: front => cut(front, ...Array(12).fill(1)) },
  { id: 'F15', what: 'a header and the packet in one', chain: front => cut(front) },
  { id: 'F15', what: 'the end of the header with the packet', chain: front => cut(front, 5) },
  {
    id: 'F19',
    what: 'a packet across two regions',
    options: neighbours(EDGE),
    chain: front => [place(front, EDGE - 100, FRAME)],
  },
  {
    id: 'F19',
    what: 'a header across two regions',
    options: neighbours(EDGE),
    chain: front => [place(front, EDGE - 5, FRAME)],
  },
  {
    id: 'F19',
    what: 'a last byte in another region',
    options: neighbours(EDGE),
    chain: front => [place(front, EDGE - HEADER - FRAME.length + 1, FRAME)],
  },
  ...[8, 16, 20, 3].map(before => ({
    id: 'F20',
    what: `a table of which ${before} bytes are in one region and the rest in the next`,
    options: neighbours(EDGE),
    chain: (front: HostileFrontEnd) => table(front, EDGE - before, cut(front, 7, 20)),
  })),
  {
    id: 'F20',
    what: 'a table at the very end of memory',
    chain: front => table(front, front.memory.size - 48, cut(front, 7, 20)),
  },
]

for (const { id, what, options, chain } of cases)
  hostile(id, `${what} is a packet like any other`, async scene => {
    const front = await scene.run(options)
    const descriptors = chain(front)
    if (descriptors !== 'indirect') front.rings[1].chain(0, descriptors)
    await areDelivered(scene, front, [0], [FRAME])
    await areDelivered(scene, front, [0], [FRAME])
  })

// F24: our outputs

for (const [mergeable, size] of [
  [true, 2048],
  [true, 200],
  [true, 64],
  [false, 2048],
] as const)
  hostile(
    'F24',
    `used lengths and num_buffers, ${mergeable ? '' : 'not '}mergeable, buffers of ${size}`,
    async scene => {
      const { t } = scene
      const front = await scene.run({ features: mergeable ? MERGEABLE : FEATURE_BITS.usual })
      const [ring] = front.rings
      const at = (head: number): number => front.buffers + 2048 * head
      for (let head = 0; head < 16; head++) ring.descriptor(head, room(at(head), size))
      ring.offer(...Array(16).keys())
      front.memory.write(front.buffers, new Uint8Array(16 * 2048).fill(0xee))
      let next = 0
      for (const length of [60, 61, 130, 188, 189, 300]) {
        const frame = frameOf(length, length)
        const buffers = Math.ceil((HEADER + length) / size)
        if (next + buffers > 16) break
        await receives(scene, front, frame)
        const got: Buffer[] = []
        let left = HEADER + length
        for (let n = 0; n < buffers; n++, next++) {
          const written = Math.min(left, size)
          t.deepEqual(ring.used(next), { id: next, length: written })
          got.push(front.memory.read(at(next), written))
          const behind = front.memory.read(at(next) + written, 2048 - written)
          t.true(
            behind.every(byte => byte === 0xee),
            'not a byte more than used.len says',
          )
          left -= written
        }
        const whole = Buffer.concat(got)
        t.is(whole.readUInt16LE(10), buffers, 'num_buffers')
        t.true(
          whole.subarray(0, 10).every(byte => byte === 0),
          'a header of zeroes',
        )
        t.true(whole.subarray(HEADER).equals(frame))
      }
      t.is(ring.usedIndex, next)
      t.deepEqual(scene.faults, [])
    },
  )

hostile(
  'F27',
  'a buffer that is too small, not mergeable: the packet is dropped and the buffer kept',
  async scene => {
    const { t, stage } = scene
    const front = await scene.run()
    const [ring] = front.rings
    ring.descriptor(0, room(front.buffers, HEADER + 100))
    ring.offer(0)
    const before = picture(front)
    stage.feed(frameOf(1, 101))
    await until('the drop', () => scene.drops('toGuest', 'rx-too-small') === 1)
    await turns(A_WHILE)
    t.is(ring.usedIndex, 0)
    t.true(picture(front).equals(before), 'nothing was written')
    const frame = frameOf(2, 100)
    t.deepEqual(await receives(scene, front, frame), { id: 0, length: HEADER + 100 })
    t.true(front.memory.read(front.buffers + HEADER, 100).equals(frame))
    t.deepEqual(scene.faults, [])
  },
)

hostile(
  'F27',
  'a whole ring that is too small, mergeable: the packet is dropped and all buffers kept',
  async scene => {
    const { t, stage } = scene
    const front = await scene.run({ features: MERGEABLE })
    const [ring] = front.rings
    for (let head = 0; head < 16; head++) ring.descriptor(head, room(front.buffers + 64 * head, 40))
    ring.offer(...Array(16).keys())
    const before = picture(front)
    stage.feed(frameOf(1, 16 * 40 - HEADER + 1))
    await until('the drop', () => scene.drops('toGuest', 'rx-too-small') === 1)
    t.is(ring.usedIndex, 0)
    t.true(picture(front).equals(before), 'nothing was written')
    const frame = frameOf(2, 16 * 40 - HEADER)
    await receives(scene, front, frame)
    t.is(ring.usedIndex, 16)
    t.deepEqual(scene.faults, [])
  },
)

hostile('F27', 'too few buffers, mergeable: the packet waits for more of them', async scene => {
  const { t, stage } = scene
  const front = await scene.run({ features: MERGEABLE })
  const [ring] = front.rings
  for (let head = 0; head < 4; head++) ring.descriptor(head, room(front.buffers + 64 * head, 40))
  ring.offer(0)
  stage.feed(frameOf(1, 100))
  await turns(A_WHILE)
  t.is(ring.usedIndex, 0)
  ring.offer(1, 2)
  ring.kick()
  await until('the packet', () => ring.usedIndex === 3)
  t.is(scene.drops('toGuest', 'rx-too-small'), 0)
})
