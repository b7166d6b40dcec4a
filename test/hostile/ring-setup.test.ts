// Group D: rings that can't be set up as they are told, and set-up that comes when it must not.
import { hostile, passesBothWays } from './support/cases.js'
import { until } from './support/conditions.js'
import { frameOf, place } from './support/frames.js'
import { PAGE } from './support/memory.js'
import { isClosed, isRefused, isRefusedBothWays, type Sent } from './support/outcomes.js'
import { address, REQUEST, state, u64 } from './support/wire.js'

for (const size of [0, 1, 3, 32769, 65536, 65537, 0x80000000, 0xffffffff])
  hostile('D1', `a ring of ${size} entries: vq_size`, async scene => {
    const front = await scene.run()
    await front.ask(REQUEST.GET_VRING_BASE, state(1, 0))
    await isRefused(scene, front, [REQUEST.SET_VRING_NUM, state(1, size)], 'vq_size')
    // What was told before holds: the ring starts with the size that it had.
    front.rings[1].clear()
    front.send(REQUEST.SET_VRING_BASE, state(1, 0))
    front.send(REQUEST.SET_VRING_KICK, u64(1n), [front.rings[1].kickFd])
    front.send(REQUEST.SET_VRING_ENABLE, state(1, 1))
    await front.barrier()
    await passesBothWays(scene.stage, front)
    await front.ask(REQUEST.GET_VRING_BASE, state(1, 0))
    front.send(REQUEST.SET_VRING_NUM, state(1, size))
    await isClosed(scene, front, 'vq_size')
  })

const byState = [
  REQUEST.SET_VRING_NUM,
  REQUEST.SET_VRING_BASE,
  REQUEST.GET_VRING_BASE,
  REQUEST.SET_VRING_ENABLE,
]
const byFd = [REQUEST.SET_VRING_KICK, REQUEST.SET_VRING_CALL, REQUEST.SET_VRING_ERR]
for (const index of [2, 255, 256, 0x10000, 0x10001, 0xffffffff])
  hostile('D2', `ring ${index} of 2 in every message about a ring: vq_index`, async scene => {
    const front = await scene.run()
    for (const request of byState) await isRefused(scene, front, [request, state(index, 1)], 'vq_index')
    await isRefused(
      scene,
      front,
      [REQUEST.SET_VRING_ADDR, address(index, front.rings[0].addresses)],
      'vq_index',
    )
    // Bit 8 says that no fd comes: 256 is ring 0 without one, and an fd all the same.
    for (const request of byFd)
      await isRefused(
        scene,
        front,
        [request, u64(BigInt(index)), [front.rings[0].callFd]],
        ...(index === 256 ? ['msg_fds'] : ['vq_index']),
      )
    await passesBothWays(scene.stage, front)
    front.send(REQUEST.SET_VRING_ENABLE, state(index, 1))
    await isClosed(scene, front, 'vq_index')
  })

hostile('D2', 'ring 2^64-1 for a kick: vq_index', async scene => {
  const front = await scene.run()
  await isRefusedBothWays(
    scene,
    front,
    [REQUEST.SET_VRING_KICK, u64((1n << 64n) - 1n), [front.rings[0].kickFd]],
    'vq_index',
  )
})

const whileRunning: [string, Sent][] = [
  ['NUM', [REQUEST.SET_VRING_NUM, state(1, 1024)]],
  ['BASE', [REQUEST.SET_VRING_BASE, state(1, 77)]],
]
for (const [what, sent] of whileRunning)
  hostile('D6', `${what} of a running ring: vq_running`, async scene => {
    const front = await scene.run()
    await isRefused(scene, front, sent, 'vq_running')
    await passesBothWays(scene.stage, front)
    scene.t.deepEqual(scene.events('ring-stopped'), [])
    front.send(...sent)
    await isClosed(scene, front, 'vq_running')
  })

hostile('D6', 'ADDR of a running ring moves it, and no frame is lost', async scene => {
  const { t, stage } = scene
  const front = await scene.run()
  await passesBothWays(stage, front)
  const ring = front.rings[1]
  // The guest copies its ring to another place, with frames in it, and says so.
  for (const head of [1, 2, 3]) ring.descriptor(head, place(front, front.buffers + 256 * head, frameOf(head)))
  ring.offer(1, 2, 3)
  const [from, length] = [ring.descriptorsAt, front.buffers / 2 - 64]
  const to = front.memory.size - 12 * PAGE
  front.memory.write(to, front.memory.read(from, length))
  for (const part of ['descriptorsAt', 'availableAt', 'usedAt'] as const) ring[part] += to - from
  t.is(await front.order(REQUEST.SET_VRING_ADDR, address(1, ring.addresses)), 0)
  front.memory.write(from, new Uint8Array(length).fill(0xff))
  ring.kick()
  await until('three frames', () => stage.delivered.length === 4)
  await passesBothWays(stage, front)
  t.deepEqual(scene.faults, [])
})
