// Group F, structure: indices, heads and links that make a ring untrustworthy. Each latches its own ring at once.
import { hostile, type Scene } from './support/cases.js'
import { frameOf, place, room } from './support/frames.js'
import type { HostileFrontEnd } from './support/front-end.js'
import { latches } from './support/outcomes.js'
import { type Descriptor, INDIRECT, NEXT, WRITE } from './support/ring.js'
import { FEATURE_BITS } from './support/wire.js'

const SIZE = 16

/** What is wrong, done to a ring whose descriptors may be read or written as that ring's must be. */
interface Lie {
  id: string
  what: string
  reason: string
  tell(front: HostileFrontEnd, index: number): void
}

const flagOf = (index: number): number => (index === 0 ? WRITE : 0)
const buffer = (front: HostileFrontEnd, index: number, length = 256): Descriptor =>
  index === 0 ? room(front.buffers, length) : { ...place(front, front.buffers, frameOf(1)), length }

/** Descriptor 0 of `length` bytes, linked to `next`. */
const link = (front: HostileFrontEnd, index: number, from: number, next: number, length: number): void =>
  front.rings[index].descriptor(from, {
    at: front.buffers,
    length,
    flags: NEXT | flagOf(index),
    next,
  })

const lies: Lie[] = [
  ...[SIZE, 255, 0x8000, 0xffff].map(head => ({
    id: 'F1',
    what: `head ${head} of ${SIZE}`,
    reason: 'head_range',
    tell: (front: HostileFrontEnd, index: number) => void front.rings[index].offer(head),
  })),
  ...[SIZE + 1, 2 * SIZE, 0x8000, 0xffff - SIZE, 0xffff].map(available => ({
    id: 'F2',
    what: `index ${available} after 0`,
    reason: 'avail_jump',
    tell: (front: HostileFrontEnd, index: number) => front.rings[index].publish(available),
  })),
  {
    id: 'F4',
    what: 'a head twice in one burst',
    reason: 'head_dup',
    tell(front, index) {
      // Small buffers: a frame for the guest takes more than one of them.
      front.rings[index].descriptor(3, buffer(front, index, index === 0 ? 40 : 72))
      front.rings[index].offer(3, 3)
    },
  },
  ...[SIZE, 0x8000, 0xffff].map(next => ({
    id: 'F6',
    what: `next ${next}, beyond the table`,
    reason: 'next_range',
    tell(front: HostileFrontEnd, index: number) {
      link(front, index, 0, next, 64)
      front.rings[index].offer(0)
    },
  })),
  {
    id: 'F6',
    what: 'next beyond an indirect table',
    reason: 'next_range',
    tell(front, index) {
      const at = front.buffers + 4096
      front.rings[index].table(
        at,
        [{ at: front.buffers, length: 32, flags: NEXT | flagOf(index), next: 2 }],
        true,
      )
      front.rings[index].descriptor(0, { at, length: 32, flags: INDIRECT })
      front.rings[index].offer(0)
    },
  },
  ...[0, 16].flatMap(length =>
    [1, 2, SIZE].map(cycle => ({
      id: 'F7',
      what: `a cycle of ${cycle} with length ${length}`,
      reason: 'chain_loop',
      tell(front: HostileFrontEnd, index: number) {
        for (let i = 0; i < cycle; i++) link(front, index, i, (i + 1) % cycle, length)
        front.rings[index].offer(0)
      },
    })),
  ),
  {
    id: 'F7',
    what: 'a cycle in an indirect table',
    reason: 'chain_loop',
    tell(front, index) {
      const at = front.buffers + 4096
      const entries = [1, 2, 0].map(next => ({
        at: front.buffers,
        length: 8,
        flags: NEXT | flagOf(index),
        next,
      }))
      front.rings[index].table(at, entries, true)
      front.rings[index].descriptor(0, { at, length: 48, flags: INDIRECT })
      front.rings[index].offer(0)
    },
  },
]

// F8: each of them on the other way too, since one walker serves both.
for (const { id, what, reason, tell } of lies) {
  for (const index of [1, 0]) {
    const [as, way] =
      index === 1 ? [id, 'from guest'] : [id.startsWith('F6') || id === 'F7' ? 'F8' : id, 'to guest']
    hostile(as, `${what}, ${way}, latches the ring: ${reason}`, async (scene: Scene) => {
      const front = await scene.run({ size: SIZE, features: FEATURE_BITS.usual | FEATURE_BITS.MRG_RXBUF })
      await latches(scene, front, index, reason, () => tell(front, index))
    })
  }
}
