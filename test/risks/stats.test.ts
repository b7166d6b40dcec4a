// Risk: counters that are nearly right. What the rings count natively against what the embedded guest sent, frame by
// frame: sizes at the edge of each bin, groups, drops, notifications; and that to read them calls nothing.
import test from 'ava'
import { native } from '../../src/addon/native.js'
import type { QueueStats, VhostDevice } from '../../src/index.js'
import { enqueue } from '../../src/operators/index.js'
import { scene, turns, until } from './support/scene.js'

test.beforeEach(t => t.timeout(60_000))

const BINS: [name: keyof QueueStats, from: number, to: number][] = [
  ['undersize_packets', 0, 63],
  ['size_64_packets', 64, 64],
  ['size_65_127_packets', 65, 127],
  ['size_128_255_packets', 128, 255],
  ['size_256_511_packets', 256, 511],
  ['size_512_1023_packets', 512, 1023],
  ['size_1024_1518_packets', 1024, 1518],
  ['size_1519_max_packets', 1519, 65535],
]
const EDGES = [14, 63, 64, 65, 127, 128, 255, 256, 511, 512, 1023, 1024, 1518, 1519, 2047, 2048, 9000, 65535]
const UNICAST = '020000000001'
const MULTICAST = ['01005e000001', '333300000001', 'ff0000000000', 'feffffffffff', 'ffffffffff7f']
const BROADCAST = 'ffffffffffff'

function frameTo(destination: string, length: number): Buffer {
  const frame = Buffer.alloc(length)
  Buffer.from(destination, 'hex').copy(frame)
  return frame
}

const isGroup = (frame: Buffer): boolean => (frame[0] & 1) === 1
const isBroadcast = (frame: Buffer): boolean => frame.subarray(0, 6).every(byte => byte === 0xff)

/** What has to be counted for these frames. */
function expected(frames: Buffer[]): Record<string, number> {
  const broadcast = frames.filter(isBroadcast).length
  return {
    good_packets: frames.length,
    good_bytes: frames.reduce((sum, { length }) => sum + length, 0),
    multicast_packets: frames.filter(isGroup).length - broadcast,
    broadcast_packets: broadcast,
    ...Object.fromEntries(
      BINS.map(([name, from, to]) => [
        name,
        frames.filter(({ length }) => length >= from && length <= to).length,
      ]),
    ),
  }
}

for (const layout of ['single', 'split', 'indirect'] as const)
  test.serial(`sizes and destinations are counted frame by frame, both ways: ${layout}`, async t => {
    const it = scene(t)
    const [a, b] = [it.driver('a'), it.driver('b')]
    it.running(a.fromGuest().pipe(enqueue(b.toGuest())).subscribe())
    const options = { layout, transmitBuffer: 65535, receiveBuffer: 8192, segments: 16 }
    const [from, to] = [await it.guest(a, options), await it.guest(b, options)]
    // It reads what comes, so that it posts its buffers again: a ring of chains has few.
    to.check()
    const sent: Buffer[] = []
    for (const [n, length] of [...EDGES, ...EDGES].entries())
      sent.push(frameTo([UNICAST, ...MULTICAST, BROADCAST][n % 7], length))
    for (const [n, frame] of sent.entries()) {
      t.true(from.send(frame))
      await until(() => b.toGuest().stats.packets === n + 1)
    }
    t.like(a.fromGuest().stats, expected(sent))
    t.like(b.toGuest().stats, expected(sent))
    t.like(a.stats.fromGuest, expected(sent))
    t.like(b.stats.toGuest, expected(sent))
    t.like(a.stats.toGuest, expected([]))
  })

test.serial('drops are counted by reason, and not among the frames', async t => {
  const it = scene(t)
  const a = it.driver('a')
  const devices: VhostDevice[] = []
  it.running(a.subscribe(device => devices.push(device)))
  it.running(a.fromGuest().subscribe(() => {}))
  const from = await it.guest(a, { layout: 'split' })
  for (let n = 0; n < 5; n++) t.true(from.send(Buffer.alloc(13)))
  for (let n = 0; n < 3; n++) t.true(from.send(frameTo(BROADCAST, 64)))
  await until(() => a.fromGuest().stats.packets === 3)
  const { drops, broadcast_packets, undersize_packets } = a.fromGuest().stats
  t.deepEqual([drops, broadcast_packets, undersize_packets], [{ runt: 5 }, 3, 0])
  a.fromGuest().resetStats()
  t.deepEqual(a.fromGuest().stats.drops, {})
  t.deepEqual(devices[0].stats.fromGuest.drops, { runt: 5 }, 'another’s reset is not the device’s')
  from.close()
  await until(() => devices[0].stats.fromGuest.held === 0)
  t.deepEqual([devices[0].stats.fromGuest.packets, devices[0].stats.fromGuest.drops], [3, { runt: 5 }])
})

test.serial('two sinks of one ring each count what they moved, and the driver counts it once', async t => {
  const it = scene(t)
  const [a, b] = [it.driver('a'), it.driver('b')]
  const [one, other] = [b.toGuest(), b.toGuest({ overflow: 'drop-newest' })]
  it.running(a.fromGuest().subscribe(one))
  it.running(b.fromGuest().subscribe(other))
  const [from, back] = [await it.guest(a), await it.guest(b)]
  for (let n = 0; n < 30; n++) from.send(frameTo(UNICAST, 64))
  for (let n = 0; n < 20; n++) back.send(frameTo(BROADCAST, 128))
  await until(() => one.stats.packets === 30 && other.stats.packets === 20)
  t.deepEqual([one.stats.broadcast_packets, other.stats.broadcast_packets], [0, 20])
  t.like(b.stats.toGuest, { packets: 50, size_64_packets: 30, size_128_255_packets: 20 })
})

for (const eventIndex of [true, false])
  test.serial(
    `each notification was sent, or suppressed as the guest asked: event index ${eventIndex}`,
    async t => {
      const it = scene(t)
      const [a, b] = [it.driver('a'), it.driver('b')]
      it.running(a.fromGuest().pipe(enqueue(b.toGuest())).subscribe())
      const [from, to] = [await it.guest(a, { eventIndex }), await it.guest(b, { eventIndex })]
      // A sender that has room waits for no call, so it asks for none; the event index begins with asking for the first.
      for (let n = 1; n <= 3; n++) {
        t.true(from.send(frameTo(UNICAST, 64)))
        await until(() => b.toGuest().stats.packets === n)
      }
      t.is(a.fromGuest().stats.guest_notifications_suppressed, eventIndex ? 2 : 3)
      to.check()
      const arrived = to.whenReceived(5000)
      await from.generate({ frames: 5000 })
      await arrived
      for (const { stats } of [a.fromGuest(), b.toGuest()]) {
        t.is(
          stats.guest_notifications + stats.guest_notifications_suppressed,
          stats.bursts - stats.idleBursts,
        )
        t.is(stats.guest_notifications_error, 0)
        t.is(stats.burstFill, 5003 / (stats.bursts - stats.idleBursts))
      }
      t.is(b.toGuest().stats.enqueueToCall.count, b.toGuest().stats.guest_notifications)
    },
  )

test.serial('each kick that woke the queue is one latency', async t => {
  const it = scene(t)
  const a = it.driver('a', { poll: 'interrupt' })
  it.running(a.fromGuest().subscribe(() => {}))
  const from = await it.guest(a)
  await turns(3)
  a.fromGuest().resetStats()
  for (let n = 1; n <= 50; n++) {
    t.true(from.send(frameTo(UNICAST, 64)))
    await until(() => a.fromGuest().stats.packets === n)
    await turns(2)
  }
  const { kicks, kickToDequeue } = a.fromGuest().stats
  t.is(kickToDequeue.count, kicks)
  t.is(kicks, 50)
  t.true(
    kickToDequeue.p50 > 0 &&
      kickToDequeue.p50 <= kickToDequeue.p999 &&
      kickToDequeue.p999 <= kickToDequeue.max,
  )
})

test.serial('statistics are read without a native call, also of a device that is gone', async t => {
  const it = scene(t)
  const a = it.driver('a')
  it.running(a.fromGuest().subscribe(() => {}))
  const from = await it.guest(a)
  from.send(frameTo(UNICAST, 64))
  await until(() => a.fromGuest().stats.packets === 1)
  const addon = native() as unknown as Record<string, unknown>
  const functions = { ...addon }
  const refuse = (): never => {
    throw new Error('a native call')
  }
  try {
    for (const name of Object.keys(functions)) addon[name] = refuse
    t.throws(() => native().deviceCount(), { message: 'a native call' })
    t.is(a.fromGuest().stats.packets, 1)
    t.is(a.stats.fromGuest.size_64_packets, 1)
    a.resetStats()
  } finally {
    Object.assign(addon, functions)
  }
  from.close()
  await turns(3)
  t.is(a.fromGuest().stats.packets, 1)
  t.is(a.stats.fromGuest.packets, 0)
})
