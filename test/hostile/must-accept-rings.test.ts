// Group V, rings: what looks odd and is right. A fault or a drop for these would be our fault.
import { hostile, passesBothWays, passesFromGuest } from './support/cases.js'
import { turns, until } from './support/conditions.js'
import { frameOf, HEADER, place, room } from './support/frames.js'
import type { HostileFrontEnd } from './support/front-end.js'
import { PAGE } from './support/memory.js'
import { areDelivered, provoke, receives } from './support/outcomes.js'
import { INDIRECT } from './support/ring.js'
import { FEATURE_BITS } from './support/wire.js'

const put = (
  front: HostileFrontEnd,
  head: number,
  number = head,
  header?: Uint8Array<ArrayBuffer>,
): Uint8Array => {
  const frame = frameOf(number)
  const slot = front.buffers + 256 * head
  front.rings[1].descriptor(head, place(front, slot, frame, header))
  return frame
}

for (const size of [2, 16, 256])
  hostile('V1', `all ${size} entries of a ring made available at once`, async scene => {
    const front = await scene.run({ size })
    for (let round = 0; round < 3; round++) {
      const heads = [...Array(size).keys()]
      await areDelivered(
        scene,
        front,
        heads,
        heads.map(head => put(front, head)),
      )
    }
  })

hostile('V1', 'a full ring whose index passes 65535', async scene => {
  const front = await scene.connect({ size: 16 })
  front.negotiate()
  front.shareMemory()
  const [, ring] = front.rings
  // As after a long life: both indices stand just below the end.
  ring.available = 65528
  ring.publish(65528)
  front.memory.u16(ring.usedAt + 2, 65528)
  front.setUp(0)
  front.setUp(1, 65528)
  await front.barrier()
  const heads = [...Array(16).keys()]
  await areDelivered(
    scene,
    front,
    heads,
    heads.map(head => put(front, head)),
  )
  scene.t.is(ring.usedIndex, 8)
})

for (const [size, table] of [
  [16, false],
  [256, false],
  [256, true],
] as const)
  hostile(
    'V2',
    `a chain of ${size}${table ? ' in an indirect table' : ', as many as the ring has'}`,
    async scene => {
      const front = await scene.run({ size })
      const frame = frameOf(1, 2 * size)
      place(front, front.buffers, frame)
      const pieces = Array.from({ length: size }, (_, n) =>
        n === 0
          ? { at: front.buffers, length: HEADER }
          : { at: front.buffers + HEADER + 2 * (n - 1), length: n === size - 1 ? 4 : 2 },
      )
      const at = front.memory.size - 4 * PAGE
      if (table) {
        front.rings[1].table(at, pieces)
        front.rings[1].descriptor(0, { at, length: 16 * size, flags: INDIRECT })
      } else front.rings[1].chain(0, pieces)
      await areDelivered(scene, front, [0], [frame])
    },
  )

hostile('V3', 'a header cut anywhere', async scene => {
  const front = await scene.run()
  const frame = frameOf(1)
  for (let cut = 0; cut <= HEADER; cut++) {
    const whole = place(front, front.buffers, frame)
    const first = { at: front.buffers, length: cut }
    front.rings[1].chain(0, [first, { at: front.buffers + cut, length: whole.length - cut }])
    await areDelivered(scene, front, [0], [frame])
  }
})

hostile('V4', 'an indirect table at an odd address', async scene => {
  const front = await scene.run()
  const frame = frameOf(1)
  for (const odd of [1, 2, 4, 7, 8]) {
    const at = front.memory.size - 4 * PAGE + odd
    front.rings[1].table(at, [place(front, front.buffers, frame)])
    front.rings[1].descriptor(0, { at, length: 16, flags: INDIRECT })
    await areDelivered(scene, front, [0], [frame])
  }
})

hostile('V11', 'descriptors of length 0 in the middle of a chain, both ways', async scene => {
  const { t } = scene
  const front = await scene.run()
  const frame = frameOf(1)
  place(front, front.buffers, frame)
  front.rings[1].chain(0, [
    { at: front.buffers, length: HEADER },
    { at: front.buffers, length: 0 },
    { at: front.buffers + HEADER, length: frame.length },
  ])
  await areDelivered(scene, front, [0], [frame])
  const at = front.buffers + PAGE
  front.rings[0].chain(0, [room(at, HEADER), room(at, 0), room(at + HEADER, 512)])
  front.rings[0].offer(0)
  t.deepEqual(await receives(scene, front, frame), { id: 0, length: HEADER + frame.length })
  t.true(front.memory.read(at + HEADER, frame.length).equals(frame))
})

hostile('V12', 'bits that nobody knows, in descriptors and in the header', async scene => {
  const front = await scene.run()
  for (let bit = 3; bit < 16; bit++) {
    const frame = put(front, 0, bit)
    front.rings[1].descriptor(0, { ...place(front, front.buffers, frame), flags: 1 << bit, next: 0xffff })
    await areDelivered(scene, front, [0], [frame])
  }
  // DATA_VALID, RSC_INFO and what may come after them are a device's to set; from a driver they mean nothing.
  for (let bit = 1; bit < 8; bit++)
    await areDelivered(
      scene,
      front,
      [0],
      [put(front, 0, bit, Uint8Array.of(1 << bit, 0, 0, 0, 0, 0, 9, 9, 9, 9, 9, 9))],
    )
})

hostile(
  'V17',
  'hdr_len of 0, or of any other value, in the header of a packet with a partial checksum',
  async scene => {
    const front = await scene.run({ features: FEATURE_BITS.usual | FEATURE_BITS.CSUM })
    for (const length of [0, 14, 0xffff]) {
      const header = Uint8Array.of(1, 0, length & 0xff, length >> 8, 0, 0, 14, 0, 6, 0, 0, 0)
      await areDelivered(scene, front, [0], [put(front, 0, length & 0xff, header)])
    }
  },
)

hostile(
  'V20',
  'a used_event far ahead: frames pass, and no call is made until it is reached',
  async scene => {
    const { t, stage } = scene
    const front = await scene.run({ features: FEATURE_BITS.usual | FEATURE_BITS.EVENT_IDX })
    const [, ring] = front.rings
    await passesFromGuest(stage, front)
    front.memory.u16(ring.availableAt + 4 + 2 * ring.size, 20)
    ring.take(ring.callFd)
    for (let n = 1; n < 20; n++) await passesFromGuest(stage, front)
    await turns(4)
    t.is(ring.usedIndex, 20)
    t.is(ring.take(ring.callFd), 0)
    await passesFromGuest(stage, front)
    await until('the call', () => ring.take(ring.callFd) === 1)
  },
)

for (const pending of [false, true])
  hostile(
    'V21',
    `a ring that reads as zeroes for a moment, ${pending ? 'with entries that we had seen' : 'idle'}`,
    async scene => {
      const { t, stage } = scene
      const front = await scene.run({ features: FEATURE_BITS.usual | FEATURE_BITS.MRG_RXBUF })
      await passesBothWays(stage, front)
      const [to, from] = front.rings
      if (pending) {
        // Eight buffers are posted and one is used: the rest is what the back end had seen.
        for (let head = 0; head < 8; head++) to.descriptor(head, room(front.buffers + 2048 * head))
        to.offer(...Array(8).keys())
        await receives(scene, front, frameOf(5))
      }
      for (const ring of [to, from]) ring.clear()
      for (const index of [0, 1, 0, 1, 0, 1, 0, 1]) await provoke(scene, front, index)
      t.deepEqual(scene.faults, [])
      // Nothing was written to what may be other memory by now.
      t.deepEqual([to.usedIndex, from.usedIndex], [0, 0])
      for (const { index } of front.rings) await front.renew(index)
      await passesFromGuest(stage, front)
      t.deepEqual(scene.events('closed'), [])
    },
  )
