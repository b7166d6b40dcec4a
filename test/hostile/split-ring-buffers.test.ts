// Group F, receive buffers that are none: each goes back with length 0, and the packet goes into the next one.
import { hostile, type Scene } from './support/cases.js'
import { frameOf, HEADER, room } from './support/frames.js'
import type { HostileFrontEnd } from './support/front-end.js'
import { PAGE } from './support/memory.js'
import { receives } from './support/outcomes.js'
import { WRITE } from './support/ring.js'
import { FEATURE_BITS } from './support/wire.js'

const SIZE = 16
const end = (front: HostileFrontEnd): bigint => front.memory.guest(front.memory.size)

interface Case {
  id: string
  what: string
  write(front: HostileFrontEnd): void
}

const notBuffers: Case[] = [
  {
    id: 'F17',
    what: 'a buffer that is not ours to write',
    write: front => front.rings[0].chain(0, [{ at: front.buffers, length: 2048 }]),
  },
  {
    id: 'F17',
    what: 'a buffer to read after one to write',
    write: front => front.rings[0].chain(0, [room(front.buffers), { at: front.buffers + PAGE, length: 64 }]),
  },
  {
    id: 'F18',
    what: 'a buffer outside',
    write: front => front.rings[0].chain(0, [room(0, 0), { at: end(front), length: 2048, flags: WRITE }]),
  },
  {
    id: 'F14',
    what: 'a buffer without room for a header',
    write: front => front.rings[0].chain(0, [room(front.buffers, 11)]),
  },
]

for (const { id, what, write } of notBuffers)
  for (const mergeable of [true, false])
    hostile(
      id,
      `${what}, ${mergeable ? '' : 'not '}mergeable, goes back unused; the packet is in the next one`,
      async (scene: Scene) => {
        const { t } = scene
        const features = mergeable ? FEATURE_BITS.usual | FEATURE_BITS.MRG_RXBUF : FEATURE_BITS.usual
        const front = await scene.run({ size: SIZE, features })
        const [ring] = front.rings
        write(front)
        const at = front.buffers + 4 * PAGE
        ring.descriptor(5, room(at))
        const before = front.memory.read(front.buffers, 2 * PAGE)
        ring.offer(0, 5)
        const frame = frameOf(42, 200)
        t.deepEqual(await receives(scene, front, frame), { id: 5, length: HEADER + frame.length })
        t.deepEqual(ring.used(0), { id: 0, length: 0 })
        t.true(front.memory.read(at + HEADER, frame.length).equals(frame))
        t.true(front.memory.read(front.buffers, 2 * PAGE).equals(before), 'nothing was written to it')
        t.deepEqual(scene.faults, [])
      },
    )
