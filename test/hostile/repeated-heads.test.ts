// Group F: a head that stands for two packets at once (F4), at distances on both sides of what is published in one go; and
// one that is offered again once it was used, as any driver may. Every driver that runs meanwhile, on another core and
// within one burst, is in native/test/repeated_head_test.cc.
import { hostile } from './support/cases.js'
import { until } from './support/conditions.js'
import { frameOf, place } from './support/frames.js'
import { latches } from './support/outcomes.js'

const SIZE = 128

for (const distance of [1, 31, 32, 33, 63])
  hostile(
    'F4',
    `a head twice at once, ${distance} entries apart, latches the ring: head_dup`,
    async scene => {
      const front = await scene.run({ size: SIZE })
      const ring = front.rings[1]
      await latches(scene, front, 1, 'head_dup', () => {
        const heads = Array.from({ length: distance }, (_, head) => head)
        for (const head of heads) ring.descriptor(head, place(front, front.buffers, frameOf(1)))
        ring.offer(...heads, 0)
      })
      scene.t.true(ring.usedIndex <= distance, 'the second was not completed')
    },
  )

hostile('F4', 'a head that is offered again once it was used is a packet each time', async scene => {
  const front = await scene.run({ size: SIZE })
  const ring = front.rings[1]
  for (let number = 1; number <= 2 * SIZE; number++) {
    ring.descriptor(5, place(front, front.buffers, frameOf(number)))
    ring.offer(5)
    ring.kick()
    await until('it is used', () => ring.usedIndex === number)
  }
  scene.t.deepEqual(scene.faults, [])
})
