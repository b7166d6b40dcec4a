// Group F, what must work: headers cut in any way, buffers and tables across regions, lengths of
// nothing.
import { hostile } from './support/cases.js'
import { frameOf, HEADER, place } from './support/frames.js'
import type { FrontEndOptions, HostileFrontEnd } from './support/front-end.js'
import { PAGE } from './support/memory.js'
import { areDelivered } from './support/outcomes.js'
import { type Descriptor, INDIRECT } from './support/ring.js'

const FRAME = frameOf(1, 300)

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
