// Group B, messages: requests in an order that no front end has, features that were not offered, and what is set up before
// there is anything to set up.
import { hostile, passesBothWays, passesFromGuest, type Scene } from './support/cases.js'
import { turns, until } from './support/conditions.js'
import { frameOf, sendGood } from './support/frames.js'
import type { HostileFrontEnd } from './support/front-end.js'
import { isClosed, isRefused, isRefusedBothWays } from './support/outcomes.js'
import { address, FEATURE_BITS, PROTOCOL_ACK, REQUEST, state, u64 } from './support/wire.js'

const ALL_REQUESTS = [...Array(45).keys(), 0x7fffffff, 0xffffffff]

hostile(
  'B1',
  'every request as the very first message, with no payload and with a word of zeroes',
  async scene => {
    for (const payload of [new Uint8Array(), new Uint8Array(8)])
      for (const request of ALL_REQUESTS) {
        const front = await scene.connect()
        // Answered, refused or ended: the process goes on, and the next connection is served.
        await front.order(request, payload)
        front.hangUp()
        await scene.stage.idle()
      }
    // A memory table of no regions is what a QEMU without share=on looks like, and told as such.
    scene.t.true(scene.faults.every(({ reason }) => reason === 'mem_not_shared'))
  },
  { repeats: 5 },
)

for (const [what, features] of [
  ['a bit that was not offered', FEATURE_BITS.usual | (1n << 34n)],
  ['all bits', (1n << 64n) - 1n],
] as const)
  hostile('B3', `SET_FEATURES with ${what}: feature_invalid`, async scene => {
    const front = await scene.connect()
    front.negotiate()
    await isRefusedBothWays(scene, front, [REQUEST.SET_FEATURES, u64(features)], 'feature_invalid')
  })

hostile(
  'B3',
  'segmentation without checksums is taken, since virtio-user asks for it, and harms nobody',
  async scene => {
    const front = await scene.run({ features: FEATURE_BITS.usual | (1n << 11n) | (1n << 7n) })
    await passesBothWays(scene.stage, front)
    scene.t.deepEqual(scene.faults, [])
  },
)

for (const [what, bit] of [
  ['a bit that does not exist', 40n],
  ['INBAND_NOTIFICATIONS', 14n],
] as const)
  hostile('B4', `SET_PROTOCOL_FEATURES with ${what}: feature_invalid`, async scene => {
    const front = await scene.connect()
    const sent = [REQUEST.SET_PROTOCOL_FEATURES, u64(PROTOCOL_ACK | (1n << bit))] as const
    await isRefusedBothWays(scene, front, sent, 'feature_invalid')
  })

hostile(
  'B5',
  'SET_FEATURES that changes the header or the ring while it runs: feature_running',
  async scene => {
    const front = await scene.run()
    const other = FEATURE_BITS.usual | FEATURE_BITS.MRG_RXBUF
    await isRefused(scene, front, [REQUEST.SET_FEATURES, u64(other)], 'feature_running')
    await passesBothWays(scene.stage, front)
    // The same mask again is what QEMU sends for each queue pair.
    scene.t.is(await front.order(REQUEST.SET_FEATURES, u64(FEATURE_BITS.usual)), 0)
    await passesBothWays(scene.stage, front)
    front.send(REQUEST.SET_FEATURES, u64(other))
    await isClosed(scene, front, 'feature_running')
  },
)

hostile('B6', 'a status without STATUS: feature_gate', async scene => {
  const front = await scene.connect()
  front.negotiate()
  await isRefused(scene, front, [REQUEST.GET_STATUS], 'feature_gate')
  await isRefusedBothWays(scene, front, [REQUEST.SET_STATUS, u64(15n)], 'feature_gate')
})

hostile('B6, D3', 'a second pair without MQ, and one beyond those offered: vq_index', async scene => {
  const front = await scene.connect()
  front.negotiate()
  await isRefused(scene, front, [REQUEST.SET_VRING_NUM, state(2, 256)], 'vq_index')
  front.send(REQUEST.SET_PROTOCOL_FEATURES, u64(PROTOCOL_ACK | 1n))
  scene.t.is(await front.order(REQUEST.SET_VRING_NUM, state(255, 256)), 0)
  await isRefusedBothWays(scene, front, [REQUEST.SET_VRING_NUM, state(256, 256)], 'vq_index')
})

hostile(
  'B7',
  'SET_OWNER twice is nothing; RESET_OWNER in the midst of traffic stops the rings',
  async scene => {
    const { t, stage } = scene
    const front = await scene.run()
    for (let n = 0; n < 2; n++) t.is(await front.order(REQUEST.SET_OWNER), 0)
    await passesBothWays(stage, front)
    t.is(await front.order(REQUEST.RESET_OWNER), 0)
    t.deepEqual(
      scene.events('ring-stopped').map(({ ring }) => ring),
      [0, 1],
    )
    for (const ring of [0, 1]) front.send(REQUEST.SET_VRING_ENABLE, state(ring, 1))
    await front.barrier()
    await passesBothWays(stage, front)
  },
)

hostile(
  'B8',
  'ADDR, KICK and ENABLE before memory and size are kept, and the ring starts with the last of them',
  async scene => {
    const { t, stage } = scene
    const front = await scene.connect()
    front.negotiate()
    for (const ring of front.rings) {
      front.send(REQUEST.SET_VRING_ENABLE, state(ring.index, 1))
      front.send(REQUEST.SET_VRING_KICK, u64(BigInt(ring.index)), [ring.kickFd])
      front.send(REQUEST.SET_VRING_ADDR, address(ring.index, ring.addresses))
      t.is(await front.order(REQUEST.SET_VRING_NUM, state(ring.index, ring.size)), 0)
    }
    t.deepEqual(scene.events('ring-started'), [])
    front.shareMemory()
    await front.barrier()
    t.is(scene.events('ring-started').length, 2)
    await passesBothWays(stage, front)
  },
)

hostile(
  'B8',
  'an address outside of the memory is an error when the ring is to start, and not before',
  async scene => {
    const { t } = scene
    const front = await scene.connect()
    front.negotiate()
    front.shareMemory()
    const ring = front.rings[1]
    front.send(REQUEST.SET_VRING_NUM, state(1, ring.size))
    t.is(await front.order(REQUEST.SET_VRING_ADDR, address(1, { ...ring.addresses, used: 0n })), 0)
    front.send(REQUEST.SET_VRING_ENABLE, state(1, 1))
    t.deepEqual(scene.faults, [])
    t.is(await front.order(REQUEST.SET_VRING_KICK, u64(1n), [ring.kickFd]), 1)
    t.deepEqual(
      scene.faults.map(({ reason }) => reason),
      ['vq_addr'],
    )
  },
)

/** Brings a device up but for one ring's ENABLE, with a frame in the ring and its kick given. */
async function kickedFirst(scene: Scene, features: bigint): Promise<HostileFrontEnd> {
  const front = await scene.connect({ features })
  front.negotiate()
  front.shareMemory()
  for (const { index } of front.rings) {
    front.send(REQUEST.SET_VRING_NUM, state(index, front.rings[index].size))
    front.send(REQUEST.SET_VRING_ADDR, address(index, front.rings[index].addresses))
    front.send(REQUEST.SET_VRING_CALL, u64(BigInt(index)), [front.rings[index].callFd])
    front.send(REQUEST.SET_VRING_KICK, u64(BigInt(index)), [front.rings[index].kickFd])
  }
  await front.barrier()
  return front
}

hostile('B9', 'a kick before ENABLE: the ring is not touched, and served once it is enabled', async scene => {
  const { t, stage } = scene
  const front = await kickedFirst(scene, FEATURE_BITS.usual)
  sendGood(front, 77)
  await turns(8)
  t.is(front.rings[1].usedIndex, 0)
  for (const ring of [0, 1]) front.send(REQUEST.SET_VRING_ENABLE, state(ring, 1))
  await until('the frame that was kicked before', () =>
    stage.delivered.some(got => Buffer.compare(got, frameOf(77)) === 0),
  )
  await passesBothWays(stage, front)
})

hostile('B9', 'without PROTOCOL_FEATURES a ring is enabled from the start', async scene => {
  const front = await kickedFirst(scene, FEATURE_BITS.usual & ~(1n << 30n))
  scene.t.is(scene.events('ring-started').length, 2)
  await passesFromGuest(scene.stage, front)
})
