// Announcements and the MTU: group E, a quirk (Q) of real front ends, and what an MTU is for.
import { hostile, passesBothWays, stageWith } from './support/cases.js'
import { until } from './support/conditions.js'
import { frameOf, HEADER, room } from './support/frames.js'
import { isRefused } from './support/outcomes.js'
import { PROTOCOL_NET, REQUEST, u64 } from './support/wire.js'

stageWith({ config: new Uint8Array(12), maxMtu: 9000 })

hostile('E19', 'SEND_RARP in a flood, and for what is no station', async scene => {
  const { t, stage } = scene
  const front = await scene.run({}, PROTOCOL_NET)
  const station = Uint8Array.of(0x52, 0x54, 0, 0, 0, 9, 0, 0)
  t.is(await front.order(REQUEST.SEND_RARP, station), 0)
  t.deepEqual(scene.events('rarp'), [{ type: 'rarp', mac: '52:54:00:00:00:09' }])
  for (const mac of [new Uint8Array(8), new Uint8Array(8).fill(255)])
    t.is(await front.order(REQUEST.SEND_RARP, mac), 0)
  t.is(scene.events('rarp').length, 1)
  for (let n = 0; n < 500; n++) await front.order(REQUEST.SEND_RARP, station)
  t.true(scene.events('rarp').length <= 30, 'ten a second at most')
  await passesBothWays(stage, front)
})

hostile(
  'MTU',
  'longer frames for the guest are dropped and counted; tags do not count as length',
  async scene => {
    const { t, stage } = scene
    const front = await scene.run({}, PROTOCOL_NET)
    t.is(await front.order(REQUEST.NET_SET_MTU, u64(1000n)), 0)
    t.deepEqual(scene.events('mtu'), [{ type: 'mtu', mtu: 1000 }])
    const tagged = (length: number, ...types: number[]): Uint8Array => {
      const frame = frameOf(length, length)
      for (const [n, type] of types.entries()) frame.set([type >> 8, type & 255], 12 + 4 * n)
      return frame
    }
    const fits = [frameOf(1, 1014), tagged(1018, 0x8100), tagged(1022, 0x88a8, 0x8100)]
    const not = [frameOf(2, 1015), tagged(1019, 0x8100), tagged(1023, 0x88a8, 0x8100), tagged(1023, 0x8100)]
    const [ring] = front.rings
    for (let head = 0; head < 8; head++) ring.descriptor(head, room(front.buffers + 2048 * head))
    ring.offer(0, 1, 2, 3, 4, 5, 6, 7)
    for (const frame of [...not, ...fits]) stage.feed(frame)
    await until('three frames', () => ring.usedIndex === 3)
    fits.forEach((frame, n) => {
      t.true(front.memory.read(front.buffers + 2048 * n + HEADER, frame.length).equals(frame))
    })
    t.is(scene.drops('toGuest', 'mtu'), not.length)
    t.is(await front.order(REQUEST.NET_SET_MTU, u64(9000n)), 0)
    stage.feed(not[0])
    await until('the frame that did not fit before', () => ring.usedIndex === 4)
  },
)

hostile(
  'Q46',
  'an MTU that is refused, by the protocol or by the program: told, and the former one stays',
  async scene => {
    const { t, stage } = scene
    const front = await scene.run({}, PROTOCOL_NET)
    t.is(await front.order(REQUEST.NET_SET_MTU, u64(1500n)), 0)
    for (const mtu of [0n, 67n, 9001n, 65536n, 1n << 63n])
      await isRefused(scene, front, [REQUEST.NET_SET_MTU, u64(mtu)], 'mtu_range')
    t.is(scene.events('mtu').length, 1)
    await passesBothWays(stage, front)
  },
)
