// Risk: a bridge to iterators or streams loses, reorders or hoards packets when its consumer is slow, or leaves leases
// behind. One guest sends to another through each, over real sockets; every byte of every frame is checked.
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import test from 'ava'
import type { HeldBurst } from '../../src/index.js'
import { toReadable } from '../../src/streams/index.js'
import { ways } from './support/bridges.js'
import { fixture } from './support/child.js'
import { folder, intact, scene, until } from './support/scene.js'

test.beforeEach(t => t.timeout(120_000))

const FRAMES = 5000
const CREDIT = 256
/** What V8 compiles late is in it, some 50 KiB. The smallest object, kept for each burst of 64 packets, would be 220 KiB. */
const MOST_GROWTH = 128 << 10

for (const [name, bridge] of Object.entries(ways)) {
  test.serial(`${name}: nothing lost, in order, within the credit; an abort releases all`, async t => {
    const it = scene(t)
    const [a, b] = [it.driver('a', { highWaterMark: CREDIT }), it.driver('b')]
    // A bridge subscribes at its first step.
    for (const driver of [a, b]) it.running(driver.subscribe())
    const stop = new AbortController()
    const running = bridge(a, b.toGuest(), stop.signal)
    running.catch(() => {})
    const [from, to] = [await it.guest(a), await it.guest(b)]
    to.check()
    let most = 0
    let over = false
    const all = Promise.all([from.generate({ frames: FRAMES, length: [64, 1514] }), to.whenReceived(FRAMES)])
    all.finally(() => {
      over = true
    })
    await until(() => {
      most = Math.max(most, a.fromGuest().stats.held)
      return over
    })
    t.is((await all)[0], FRAMES)
    t.like(to.report, { received: FRAMES, ...intact })
    t.log(`at most ${most} packets under lease`)
    t.true(most <= CREDIT)
    // In the middle of traffic, with bursts in every buffer on the way.
    const sent = from.generate({ frames: 20 * CREDIT })
    await until(() => a.fromGuest().stats.packets > FRAMES)
    stop.abort()
    await t.throwsAsync(running, { any: true, name: 'AbortError' })
    await until(() => b.toGuest().stats.held === 0)
    // What nobody was given yet waits for the next one who subscribes.
    const rest = a.fromGuest().stats.held
    t.true(rest < 64, `${rest} packets are held`)
    it.running(a.fromGuest().subscribe())
    await sent
    await until(() => a.fromGuest().stats.held === 0)
  })
}

test.serial(
  'a consumer that waits for ever: the guest waits, and a device that goes ends the stream',
  async t => {
    const it = scene(t)
    const a = it.driver('a', { highWaterMark: CREDIT })
    const held: HeldBurst[] = []
    let readable: Writable | undefined
    const running = new Promise<void>((resolve, reject) => {
      it.running(
        a.subscribe(device => {
          readable = new Writable({ objectMode: true, write: (burst: HeldBurst) => held.push(burst) })
          pipeline(toReadable(device.fromGuest()), readable).then(resolve, reject)
        }),
      )
    })
    running.catch(() => {})
    const from = await it.guest(a)
    from.generate({ frames: FRAMES }).catch(() => {})
    await until(() => a.fromGuest().stats.held === CREDIT)
    from.close()
    await until(() => a.fromGuest().stats.packets === CREDIT)
    t.is(held.length, 1)
    // It has not ended, since bursts are out; what goes wrong now still releases them all.
    t.true(a.fromGuest().stats.held > 0)
    readable?.destroy(new Error('enough'))
    await t.throwsAsync(running, { message: 'enough' })
    t.is(a.fromGuest().stats.held, 0)
  },
)

interface Flat {
  /** Between the first mark and the last. */
  packets: number
  /** Bytes in use at each mark, after a collection: JavaScript's heap, and what hangs on it. */
  marks: number[]
  intact: boolean
}

for (const name of Object.keys(ways).filter(way => way.includes('slow'))) {
  test.serial(`${name}: what is in use does not grow with the packets that have passed`, async t => {
    const child = fixture(t, 'bridge-memory', [folder(t), name], {
      node: ['--expose-gc'],
      env: { RX_VHOST_LEASES: '' },
    })
    const { packets, marks, intact } = await child.value<Flat>('flat')
    const growth = marks[marks.length - 1] - marks[0]
    t.log(
      `${growth} bytes more after ${packets} packets: ${marks.map(mark => (mark / 2 ** 20).toFixed(2))} MiB`,
    )
    t.true(intact)
    t.true(growth < MOST_GROWTH, `${growth} bytes more`)
    t.deepEqual(await child.ended, { code: 0, signal: null })
  })
}
