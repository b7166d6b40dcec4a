// Risk: a bridge to iterators or streams loses, reorders or hoards packets when its consumer is slow, or leaves leases
// behind. One guest sends to another through each, over real sockets; every byte of every frame is checked.
import { PassThrough, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { WritableStream } from 'node:stream/web'
import test from 'ava'
import type { HeldBurst, VhostDriver, VhostSink } from '../../src/index.js'
import {
  toAsyncIterable,
  toReadable,
  toReadableStream,
  toWritable,
  toWritableStream,
} from '../../src/streams/index.js'
import { intact, scene, turn, until } from './support/scene.js'

test.beforeEach(t => t.timeout(120_000))

const FRAMES = 5000
const CREDIT = 256

type Bridge = (from: VhostDriver, to: VhostSink, signal: AbortSignal) => Promise<void>

/** Offers what the ring has no room for again, and releases the burst. */
async function put(burst: HeldBurst, sink: VhostSink): Promise<void> {
  try {
    await turn()
    for (let at = 0; at < burst.length; at += sink.enqueueBurst(burst, at)) await turn()
  } finally {
    burst.release()
  }
}

const slowly = (sink: VhostSink): Writable =>
  new Writable({
    objectMode: true,
    write(burst: HeldBurst, _, done) {
      put(burst, sink).then(() => done(), done)
    },
  })

const ways: Record<string, Bridge> = {
  'for await with a slow body': async (from, sink, signal) => {
    for await (const burst of toAsyncIterable(from.fromGuest(), { signal })) await put(burst, sink)
  },
  'pipeline() into a slow Writable': (from, sink, signal) =>
    pipeline(toReadable(from.fromGuest()), new PassThrough({ objectMode: true }), slowly(sink), { signal }),
  'pipeline() into a guest': (from, sink, signal) =>
    pipeline(toReadable(from.fromGuest()), toWritable(sink), { signal }),
  'pipeTo() into a slow WritableStream': (from, sink, signal) =>
    toReadableStream(from.fromGuest()).pipeTo(
      new WritableStream({ write: burst => put(burst, sink) }, { highWaterMark: 4 }),
      { signal },
    ),
  'pipeTo() into a guest': (from, sink, signal) =>
    toReadableStream(from.fromGuest()).pipeTo(toWritableStream(sink), { signal }),
}

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
