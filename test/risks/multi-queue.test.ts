// Several queue pairs: packets of all of them through one pipeline, answers on the pair that their flow came by, and pairs
// that nobody uses, which cost nothing.
import test, { type ExecutionContext } from 'ava'
import type { DeviceEvent, VhostDevice } from '../../src/index.js'
import { enqueue } from '../../src/operators/index.js'
import { udp } from '../support/frames.js'
import { intact, scene, until, watchEvents } from './support/scene.js'

test.beforeEach(t => t.timeout(60_000))

const started = (events: DeviceEvent[]) =>
  events.flatMap(event => (event.type === 'ring-started' ? [event.ring] : []))

for (const pairs of [2, 4, 128])
  test.serial(
    `${pairs} pairs: frames of every one reach one pipeline, and every one gets its own back`,
    async t => {
      const it = scene(t)
      const a = it.driver('a')
      const { events, subscription } = watchEvents(a)
      it.running(subscription)
      it.running(a.fromGuest().pipe(enqueue(a.toGuest())).subscribe())
      const guest = await it.guest(a, { pairs, queueSize: 64 })
      t.is(started(events).length, 2 * pairs)
      t.is(events.filter(({ type }) => type === 'ready').length, 1)
      // One flow a pair: its frames are sent back to where it came from, and so arrive on the same pair.
      const back: number[] = Array(pairs).fill(0)
      for (let n = 0; n < pairs; n++) {
        it.running(
          guest.pair(n).frames.subscribe(frame => {
            t.is(frame[15], n, 'the flow of this pair')
            back[n]++
          }),
        )
      }
      const perPair = 40
      for (let k = 0; k < perPair; k++)
        for (let n = 0; n < pairs; n++) {
          const frame = udp(1000 + n, 2000)
          frame[15] = n
          while (!guest.pair(n).send(frame)) await guest.pair(n).room()
        }
      await until(() => back.every(count => count === perPair))
      t.is(a.fromGuest().stats.packets, pairs * perPair)
      for (let n = 0; n < pairs; n++) t.is(a.fromGuest(n).stats.packets, perPair, `from pair ${n}`)
    },
  )

test.serial('a flow that moves to another pair is followed there', async t => {
  const it = scene(t)
  const [a, b] = [it.driver('a'), it.driver('b')]
  it.running(a.fromGuest().pipe(enqueue(b.toGuest())).subscribe())
  it.running(b.fromGuest().pipe(enqueue(a.toGuest())).subscribe())
  const one = await it.guest(a, { pairs: 4 })
  const other = await it.guest(b)
  // The other end answers with addresses and ports the other way around.
  it.running(other.frames.subscribe(() => other.send(udp(2000, 1000))))
  const seen: number[] = []
  for (let n = 0; n < 4; n++) it.running(one.pair(n).frames.subscribe(() => seen.push(n)))
  const moves = [3, 1, 2, 2, 0, 3]
  for (const [i, pair] of moves.entries()) {
    one.pair(pair).send(udp(1000, 2000))
    await until(() => seen.length === i + 1)
  }
  t.deepEqual(seen, moves)
})

test.serial(
  'flows that the guest never sent are spread, each on a pair of its own choice, in order',
  async t => {
    const it = scene(t)
    const [a, b] = [it.driver('a'), it.driver('b')]
    it.running(b.fromGuest().pipe(enqueue(a.toGuest())).subscribe())
    it.running(a.subscribe())
    const one = await it.guest(a, { pairs: 4, queueSize: 512 })
    const other = await it.guest(b)
    const seen: { pair: number; flow: number; number: number }[] = []
    for (let n = 0; n < 4; n++)
      it.running(
        one.pair(n).frames.subscribe(frame => {
          seen.push({ pair: n, flow: (frame[34] << 8) | frame[35], number: frame[frame.length - 1] })
        }),
      )
    const flows = 64
    for (let number = 0; number < 8; number++)
      for (let flow = 0; flow < flows; flow++) {
        const frame = udp(flow, 9)
        frame[frame.length - 1] = number
        while (!other.send(frame)) await other.room()
      }
    await until(() => seen.length === 8 * flows)
    for (let flow = 0; flow < flows; flow++) {
      const its = seen.filter(entry => entry.flow === flow)
      t.is(new Set(its.map(({ pair }) => pair)).size, 1, 'one pair a flow')
      t.deepEqual(
        its.map(({ number }) => number),
        [0, 1, 2, 3, 4, 5, 6, 7],
      )
    }
    for (let n = 0; n < 4; n++)
      t.true(seen.filter(({ pair }) => pair === n).length > flows, `pair ${n} has its part`)
  },
)

async function echo(t: ExecutionContext, guestPairs: number, offered: number) {
  const it = scene(t)
  const a = it.driver('a', { queuePairs: offered })
  const { events, subscription } = watchEvents(a)
  it.running(subscription)
  it.running(a.fromGuest().pipe(enqueue(a.toGuest())).subscribe())
  const guest = await it.guest(a, { pairs: guestPairs })
  guest.check()
  await guest.generate({ frames: 1000 })
  t.like(await guest.whenReceived(1000), { received: 1000, ...intact })
  return { it, a, guest, events }
}

test.serial('a guest that uses one pair of 128 is ready with it, and loses nothing', async t => {
  const { events } = await echo(t, 1, 128)
  t.deepEqual(started(events), [0, 1])
})

test.serial('a driver with one pair offers no more: GET_QUEUE_NUM is not even asked', async t => {
  const { a, guest } = await echo(t, 1, 1)
  t.false(a.getFeatures().includes('VIRTIO_NET_F_MQ'))
  t.is(guest.agreed!.protocolFeatures & 1n, 0n)
})

test.serial('a guest that wants more pairs than there are is told so by the number', async t => {
  const it = scene(t)
  const a = it.driver('a', { queuePairs: 2 })
  it.running(a.subscribe())
  await t.throwsAsync(it.guest(a, { pairs: 3 }), {
    message: /3 queue pairs are needed, and the back end offers 2/,
  })
})

test.serial(
  'a driver that uses fewer channels, and more again: nothing goes to a pair that is disabled',
  async t => {
    const it = scene(t)
    const [a, b] = [it.driver('a'), it.driver('b')]
    it.running(b.fromGuest().pipe(enqueue(a.toGuest())).subscribe())
    const { events, subscription } = watchEvents(a)
    it.running(subscription)
    const one = await it.guest(a, { pairs: 4 })
    const other = await it.guest(b)
    const seen: number[] = [0, 0, 0, 0]
    for (let n = 0; n < 4; n++) it.running(one.pair(n).frames.subscribe(() => seen[n]++))
    const total = () => seen.reduce((sum, count) => sum + count)
    const send = async (frames: number) => {
      const before = total()
      for (let n = 0; n < frames; n++) while (!other.send(udp(n, 9))) await other.room()
      await until(() => total() === before + frames)
    }
    await send(200)
    t.true(seen.every(count => count > 0))
    await one.useChannels(2)
    const before = [...seen]
    await send(200)
    t.deepEqual([seen[2], seen[3]], [before[2], before[3]])
    await one.useChannels(4)
    await send(200)
    t.true(seen[2] > before[2] && seen[3] > before[3])
    t.deepEqual(a.toGuest().stats.drops, {})
    t.false(events.some(({ type }) => type === 'stopped'))
  },
)

test.serial('what a sink keeps for a pair goes by the others when that pair is disabled', async t => {
  const it = scene(t)
  const [a, b] = [it.driver('a'), it.driver('b')]
  it.running(b.fromGuest().pipe(enqueue(a.toGuest())).subscribe())
  it.running(a.subscribe())
  const one = await it.guest(a, { pairs: 2, queueSize: 16, autoPost: false })
  const other = await it.guest(b)
  const frames = 64
  for (let n = 0; n < frames; n++) while (!other.send(udp(n, 9))) await other.room()
  await until(() => a.toGuest().stats.held > 0)
  let seen = 0
  it.running(one.frames.subscribe(() => seen++))
  await one.useChannels(1)
  while (seen < frames) {
    one.postReceive()
    await until(() => seen === frames || one.stats.freeReceiveBuffers > 0)
  }
  t.is(seen, frames)
  t.deepEqual(a.toGuest().stats.drops, {})
})

test.serial(
  'device.fromGuest(k) and toGuest(k) are one pair’s; a pair that does not exist throws',
  async t => {
    const it = scene(t)
    const a = it.driver('a', { queuePairs: 4 })
    const devices: VhostDevice[] = []
    it.running(a.subscribe(device => devices.push(device)))
    const guest = await it.guest(a, { pairs: 3 })
    const [device] = devices
    it.running(
      device
        .fromGuest(1)
        .pipe(enqueue(device.toGuest(2)))
        .subscribe(),
    )
    const seen: number[] = []
    for (let n = 0; n < 3; n++) it.running(guest.pair(n).frames.subscribe(() => seen.push(n)))
    for (const pair of [0, 1, 2, 1]) guest.pair(pair).send(udp(5, 6))
    await until(() => seen.length === 2)
    t.deepEqual(seen, [2, 2])
    t.is(device.fromGuest(0).stats.packets, 0, 'nobody is subscribed to it')
    // One drain loop a ring: the driver's face and the device's share it.
    it.running(a.fromGuest().subscribe())
    await until(() => device.fromGuest(0).stats.packets === 1)
    t.notThrows(() => device.fromGuest(3))
    for (const pair of [4, -1, 1.5, Number.NaN]) {
      t.throws(() => device.fromGuest(pair), { code: 'ERR_VHOST_QUEUE_INVALID' })
      t.throws(() => device.toGuest(pair), { code: 'ERR_VHOST_QUEUE_INVALID' })
      t.throws(() => a.fromGuest(pair), { code: 'ERR_VHOST_QUEUE_INVALID' })
      t.throws(() => a.toGuest({ pair }), { code: 'ERR_VHOST_QUEUE_INVALID' })
    }
  },
)

test.serial('plain calls take from every pair in turn, and put each packet on its flow’s pair', async t => {
  const it = scene(t)
  const a = it.driver('a')
  it.running(a.subscribe())
  const guest = await it.guest(a, { pairs: 3 })
  const from = a.fromGuest()
  const to = a.toGuest()
  const seen: number[] = []
  for (let n = 0; n < 3; n++) it.running(guest.pair(n).frames.subscribe(() => seen.push(n)))
  for (let n = 0; n < 3; n++) guest.pair(n).send(udp(100 + n, 7))
  let taken = 0
  while (taken < 3) {
    const burst = from.dequeueBurst(32)
    taken += burst.length
    for (const at of [-1, 0.5, burst.length + 1, Number.NaN])
      t.throws(() => to.enqueueBurst(burst, at), { instanceOf: RangeError })
    t.is(to.enqueueBurst(burst), burst.length)
    burst.release()
  }
  await until(() => seen.length === 3)
  t.deepEqual([...seen].sort(), [0, 1, 2])
})

test.serial('a pipeline survives a guest of four pairs, one of one, and one of two', async t => {
  const it = scene(t)
  const a = it.driver('a')
  it.running(a.fromGuest().pipe(enqueue(a.toGuest())).subscribe())
  for (const pairs of [4, 1, 2]) {
    const guest = await it.guest(a, { pairs })
    for (let n = 0; n < pairs; n++) {
      guest.pair(n).check()
      await guest.pair(n).generate({ frames: 100, source: n })
    }
    const all = () => Array.from({ length: pairs }, (_, n) => guest.pair(n).report)
    await until(() => all().reduce((sum, { received }) => sum + received, 0) === 100 * pairs)
    for (const report of all()) t.like(report, intact)
    guest.close()
    await until(() => a.fromGuest().stats.held === 0)
  }
})
