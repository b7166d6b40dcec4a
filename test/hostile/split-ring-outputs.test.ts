// Group F, what we write: used lengths and headers (F24), and receive buffers that are too small for it (F27).
import { hostile } from './support/cases.js'
import { turns, until } from './support/conditions.js'
import { frameOf, HEADER, room } from './support/frames.js'
import { A_WHILE, picture, receives } from './support/outcomes.js'
import { FEATURE_BITS } from './support/wire.js'

const MERGEABLE = FEATURE_BITS.usual | FEATURE_BITS.MRG_RXBUF

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
