// Group B, rings and status: what is stopped, started, toggled and asked for while frames pass, and requests that this back
// end does not serve.
import { hostile, passesBothWays, passesFromGuest, passesToGuest } from './support/cases.js'
import { turns, until } from './support/conditions.js'
import { frameOf, sendGood } from './support/frames.js'
import { isRefused, isRefusedBothWays, picture } from './support/outcomes.js'
import { address, FEATURE_BITS, PROTOCOL_ACK, REQUEST, state, u64 } from './support/wire.js'

/** A hundred thousand where all is tested; no fewer than make each of the races once. */
const TOGGLES = process.env.CI ? 100_000 : 4_000

hostile(
  'B10',
  `ENABLE off and on, ${TOGGLES} times under traffic: no frame is lost, and the counters agree`,
  async scene => {
    const { t, stage } = scene
    const front = await scene.run()
    const [, ring] = front.rings
    const before = stage.driver.fromGuest().stats.packets
    let sent = 0
    for (let n = 0; n < TOGGLES; n++) {
      front.send(REQUEST.SET_VRING_ENABLE, state(1, n % 2))
      if (n % 50 === 0) {
        await front.barrier()
        if (ring.usedIndex === (sent & 0xffff)) sendGood(front, ++sent)
      }
    }
    front.send(REQUEST.SET_VRING_ENABLE, state(1, 1))
    await front.barrier()
    await until('the last frame', () => ring.usedIndex === (sent & 0xffff))
    t.is(stage.driver.fromGuest().stats.packets - before, sent)
    await passesBothWays(stage, front)
    t.deepEqual(scene.faults, [])
  },
  { repeats: 1 },
)

hostile(
  'B11',
  'GET_VRING_BASE twice, in the midst of a burst, and on a ring that never started',
  async scene => {
    const { t, stage } = scene
    const front = await scene.run()
    for (let n = 0; n < 5; n++) await passesFromGuest(stage, front)
    sendGood(front, 99)
    const [index, base] = new Uint32Array(
      (await front.ask(REQUEST.GET_VRING_BASE, state(1, 0))).slice().buffer,
    )
    t.is(index, 1)
    t.is(base, front.rings[1].usedIndex, 'what was taken was answered, and nothing else')
    t.deepEqual(await front.ask(REQUEST.GET_VRING_BASE, state(1, 0)), state(1, base))
    await front.ask(REQUEST.GET_VRING_BASE, state(0, 0))
    // Suspended means suspended: not a byte is written any more, nor a call made.
    const still = [picture(front), front.rings.map(ring => [ring.usedIndex, ring.take(ring.callFd)])] as const
    for (const ring of front.rings) ring.kick()
    stage.feed(frameOf(8))
    await turns(30)
    t.true(picture(front).equals(still[0]))
    t.deepEqual(
      front.rings.map(ring => [ring.usedIndex, ring.take(ring.callFd)]),
      still[1].map(([used]) => [used, 0]),
    )
    for (const { index: ring } of front.rings) await front.renew(ring)
    await passesBothWays(stage, front)
  },
)

hostile('B12', 'a kick fd for a ring that runs, the same one and another: the ring goes on', async scene => {
  const { t, stage } = scene
  const front = await scene.run()
  const [, ring] = front.rings
  await passesFromGuest(stage, front)
  for (const fd of [ring.kickFd, front.rings[0].errorFd, ring.kickFd])
    t.is(await front.order(REQUEST.SET_VRING_KICK, u64(1n), [fd]), 0)
  await passesBothWays(stage, front)
  t.deepEqual(scene.events('ring-stopped'), [])
})

const PROTOCOL_STATUS_ACK = PROTOCOL_ACK | (1n << 16n)

hostile(
  'B13',
  'a status of more than a byte, DRIVER_OK twice, and 0 in the midst of traffic',
  async scene => {
    const { t, stage } = scene
    const front = await scene.connect()
    front.negotiate(PROTOCOL_STATUS_ACK)
    await isRefused(scene, front, [REQUEST.SET_STATUS, u64(0x100n)], 'msg_value')
    front.shareMemory()
    for (const { index } of front.rings) front.setUp(index)
    for (const status of [15n, 15n, 0xffn]) t.is(await front.order(REQUEST.SET_STATUS, u64(status)), 0)
    await passesBothWays(stage, front)
    t.is(scene.events('ready').length, 1)
    t.is(await front.order(REQUEST.SET_STATUS, u64(0n)), 0)
    t.is(scene.events('stopped').length, 1)
    t.is(await front.order(REQUEST.SET_STATUS, u64(15n)), 0)
    await passesBothWays(stage, front)
  },
)

hostile('B13', 'FEATURES_OK is not kept before features were accepted', async scene => {
  const front = await scene.connect()
  front.send(REQUEST.SET_PROTOCOL_FEATURES, u64(PROTOCOL_STATUS_ACK))
  scene.t.is(await front.order(REQUEST.SET_STATUS, u64(11n)), 0)
  scene.t.deepEqual(await front.ask(REQUEST.GET_STATUS), u64(3n))
})

/** IOTLB, ENDIAN, CRYPTO, POSTCOPY, INFLIGHT, GPU, in-band kicks, SHARED_OBJECT, DEVICE_STATE, SHMEM. */
for (const request of [22, 23, 26, 27, 28, 29, 30, 31, 32, 33, 35, 41, 42, 43, 44])
  hostile(
    'B14',
    `request ${request} is not served: refused where an answer is wanted, else told`,
    async scene => {
      const { t, stage } = scene
      const front = await scene.run()
      await isRefused(scene, front, [request, new Uint8Array(16), [front.rings[0].errorFd]], 'msg_unknown')
      front.send(request, new Uint8Array(16))
      await front.barrier()
      t.is(scene.events('refused').length, 2)
      await passesBothWays(stage, front)
    },
  )

hostile('B15', 'ENABLE with 2: msg_value', async scene => {
  const front = await scene.run()
  await isRefusedBothWays(scene, front, [REQUEST.SET_VRING_ENABLE, state(0, 2)], 'msg_value')
})

hostile('B16', 'all messages about a ring while it is served', async scene => {
  const { t, stage } = scene
  const front = await scene.run()
  const [to, from] = front.rings
  for (let n = 0; n < 20; n++) {
    sendGood(front, n)
    front.send(REQUEST.SET_VRING_CALL, u64(1n), [from.callFd])
    front.send(REQUEST.SET_VRING_ERR, u64(1n), [from.errorFd])
    front.send(REQUEST.SET_VRING_KICK, u64(1n), [from.kickFd])
    front.send(REQUEST.SET_VRING_ADDR, address(1, from.addresses))
    front.send(REQUEST.SET_VRING_ENABLE, state(1, 0))
    front.send(REQUEST.SET_VRING_ENABLE, state(1, 1))
    front.send(REQUEST.SET_VRING_ADDR, address(0, to.addresses))
    await front.barrier()
    await until('the frame', () => from.usedIndex === n + 1)
  }
  await passesToGuest(stage, front)
  t.deepEqual(scene.faults, [])
})

hostile('B17', 'REPLY_ACK accepted without ever asking for it is answered', async scene => {
  const front = await scene.connect()
  front.send(REQUEST.SET_PROTOCOL_FEATURES, u64(PROTOCOL_ACK))
  scene.t.is(await front.order(REQUEST.SET_FEATURES, u64(FEATURE_BITS.usual)), 0)
  scene.t.is(await front.order(REQUEST.SET_OWNER), 0)
})

hostile(
  'B18',
  'a driver without VERSION_1: the header has 10 bytes, and 12 with mergeable buffers',
  async scene => {
    const legacy = FEATURE_BITS.usual & ~(1n << 32n)
    const front = await scene.run({ features: legacy })
    const frame = frameOf(5)
    const [, ring] = front.rings
    front.memory.write(front.buffers, new Uint8Array(10))
    front.memory.write(front.buffers + 10, frame)
    ring.descriptor(0, { at: front.buffers, length: 10 + frame.length })
    ring.offer(0)
    ring.kick()
    await until('the frame', () => scene.stage.delivered.some(got => Buffer.compare(got, frame) === 0))
    scene.t.deepEqual(scene.faults, [])
  },
)
