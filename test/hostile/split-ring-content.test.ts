// Group F, content: chains from guest that are of no use but spoil nothing else. Each is dropped under its reason and
// given back with length 0.
import { hostile } from './support/cases.js'
import { frameOf, HEADER, place, room } from './support/frames.js'
import type { FrontEndOptions, HostileFrontEnd } from './support/front-end.js'
import { PAGE } from './support/memory.js'
import { areDelivered, areDropped } from './support/outcomes.js'
import { type Descriptor, INDIRECT, NEXT, WRITE } from './support/ring.js'
import { FEATURE_BITS } from './support/wire.js'

const SIZE = 16
const GIB = 2 ** 30

interface Case {
  id: string
  what: string
  options?: FrontEndOptions
  /** Writes one chain, which begins with descriptor 0. */
  write(front: HostileFrontEnd): void
}

/** The chain's descriptors, in the order given. */
const chain = (make: (front: HostileFrontEnd) => Descriptor[]) => (front: HostileFrontEnd) =>
  front.rings[1].chain(0, make(front))
/** Descriptor 0 points to a table of `length` bytes. */
const indirect =
  (length: number, entries: (front: HostileFrontEnd) => Descriptor[], more: Partial<Descriptor> = {}) =>
  (front: HostileFrontEnd) => {
    const at = front.buffers + 8 * PAGE
    front.rings[1].table(at, entries(front))
    front.rings[1].descriptor(0, { at, length, flags: INDIRECT, ...more })
  }
const good = (front: HostileFrontEnd): Descriptor => place(front, front.buffers, frameOf(1))
const huge: FrontEndOptions = { memory: 9 * GIB }
/** Two regions with a hole of one page after eight pages. */
const holed: FrontEndOptions = {
  regions: memory => [memory.region(0, 8 * PAGE), memory.region(9 * PAGE, memory.size - 9 * PAGE)],
}
const end = (front: HostileFrontEnd): bigint => front.memory.guest(front.memory.size)

/** A header that asks for TCP segments of IPv4, each with `size` bytes of payload. */
const segments = (size: number): Uint8Array<ArrayBuffer> =>
  Uint8Array.of(1, 1, 0, 0, size & 0xff, size >> 8, 34, 0, 16, 0, 0, 0)
const offloads: FrontEndOptions = {
  features: FEATURE_BITS.usual | FEATURE_BITS.CSUM | FEATURE_BITS.HOST_TSO4,
  memory: 1 << 20,
}
/** An IPv4 frame with a TCP header, and zeros behind it. */
function tcpFrame(length: number): Uint8Array {
  const frame = new Uint8Array(length)
  frame.set([0x08, 0x00, 0x45], 12)
  frame[23] = 6
  frame[46] = 5 << 4
  return frame
}

const dropped: Record<string, Case[]> = {
  gso: [
    {
      id: 'H6',
      what: 'one segment per byte',
      options: offloads,
      write: chain(front => [place(front, front.buffers, tcpFrame(60_000), segments(1))]),
    },
    {
      id: 'H8',
      what: 'segments of a frame that is not IP, in two buffers',
      options: offloads,
      write: chain(front => {
        const { at, length } = place(front, front.buffers, frameOf(1, 4000), segments(1448))
        return [
          { at, length: 100 },
          { at: Number(at) + 100, length: length - 100 },
        ]
      }),
    },
  ],
  'too-long': [
    {
      id: 'F11',
      what: 'one length of 2^32-1',
      options: huge,
      write: chain(() => [{ at: PAGE, length: 0xffffffff }]),
    },
    {
      id: 'F11',
      what: 'lengths that add up to more than 2^32',
      options: huge,
      write: chain(() => Array.from({ length: 4 }, () => ({ at: PAGE, length: 0x80000000 }))),
    },
    {
      id: 'F11',
      what: 'a byte more than the longest packet',
      write: chain(front => [{ at: front.buffers, length: HEADER + 65536 + 256 + 1 }]),
    },
  ],
  short: [0, 1, 2, 5, 10, 11].map(length => ({
    id: 'F14',
    what: `${length} bytes, less than a header`,
    write: chain(front => [{ at: front.buffers, length }]),
  })),
  empty: [
    {
      id: 'F14',
      what: 'a header and nothing',
      write: chain(front => [{ at: front.buffers, length: HEADER }]),
    },
  ],
  direction: [
    {
      id: 'F17',
      what: 'a buffer that is ours to write',
      write: chain(front => [{ ...good(front), flags: WRITE }]),
    },
    {
      id: 'F17',
      what: 'a buffer to write after one to read',
      write: chain(front => [good(front), room(front.buffers + PAGE)]),
    },
    {
      id: 'F17',
      what: 'a buffer to read after one to write',
      write: chain(front => [room(front.buffers + PAGE), good(front)]),
    },
  ],
  address: [
    { id: 'F18', what: 'an address below all memory', write: chain(() => [{ at: 0n, length: 72 }]) },
    {
      id: 'F18',
      what: 'an address above all memory',
      write: chain(front => [{ at: end(front), length: 72 }]),
    },
    { id: 'F18', what: 'a last byte outside', write: chain(front => [{ at: end(front) - 71n, length: 72 }]) },
    {
      id: 'F18',
      what: 'an end that wraps (C20)',
      write: chain(() => [{ at: (1n << 64n) - 32n, length: 72 }]),
    },
    {
      id: 'F18',
      what: 'a length that would wrap',
      write: chain(front => [{ at: front.buffers, length: 0xffffffff }]),
    },
    {
      id: 'F18',
      what: 'an end outside after a good beginning',
      write: chain(front => [good(front), { at: end(front), length: 1 }]),
    },
    {
      id: 'F19',
      what: 'a buffer across a hole (C20)',
      options: holed,
      write: chain(() => [{ at: 8 * PAGE - 36, length: PAGE + 72 }]),
    },
    {
      id: 'F20',
      what: 'a table outside',
      write: indirect(16, front => [good(front)], { at: 0n }),
    },
    {
      id: 'F20',
      what: 'a table whose second half is outside',
      write(front) {
        front.rings[1].table(front.memory.size - 16, [{ ...good(front), flags: NEXT, next: 1 }], true)
        front.rings[1].descriptor(0, { at: end(front) - 16n, length: 32, flags: INDIRECT })
      },
    },
    {
      id: 'F20',
      what: 'a table into a hole',
      options: holed,
      write(front) {
        front.rings[1].table(8 * PAGE - 16, [{ ...good(front), flags: NEXT, next: 1 }], true)
        front.rings[1].descriptor(0, { at: 8 * PAGE - 16, length: 32, flags: INDIRECT })
      },
    },
  ],
  indirect: [
    ...[0, 1, 8, 15, 17, 31, 16 * 32769].map(length => ({
      id: 'F21',
      what: `a table of ${length} bytes`,
      options: { memory: 1 << 20 },
      write: indirect(length, front => [good(front)]),
    })),
    {
      id: 'F21',
      what: 'INDIRECT with NEXT',
      write: indirect(16, front => [good(front)], { flags: INDIRECT | NEXT, next: 1 }),
    },
    {
      id: 'F21',
      what: 'a table in a table',
      write: indirect(16, front => [{ at: front.buffers + 8 * PAGE, length: 16, flags: INDIRECT }]),
    },
    {
      id: 'F21',
      what: 'a table that was not negotiated',
      options: { features: FEATURE_BITS.plain },
      write: indirect(16, front => [good(front)]),
    },
  ],
}

for (const [reason, cases] of Object.entries(dropped))
  for (const { id, what, options, write } of cases)
    hostile(
      id,
      `${what}: dropped as ${reason}`,
      async scene => {
        const front = await scene.run({ size: SIZE, memory: 64 * PAGE, ...options })
        write(front)
        await areDropped(scene, front, reason, [0])
      },
      options === huge ? { repeats: 20 } : {},
    )

hostile('F21', 'a table that overlaps its own ring: only its own guest is harmed', async scene => {
  const front = await scene.run({ size: SIZE })
  const [, ring] = front.rings
  ring.table(ring.descriptorsAt + 16, [good(front)])
  ring.descriptor(0, { at: ring.descriptorsAt + 16, length: 16, flags: INDIRECT })
  await areDelivered(scene, front, [0], [frameOf(1)])
})
