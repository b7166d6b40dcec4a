// Risk: a consumer that holds on to packets takes the whole pool, or loses what it could not take. It stops the dequeue
// within `highWaterMark` packets, the guest's own ring fills, and all frames arrive, in order, once it lets go.
import test, { type ExecutionContext } from 'ava'
import { delayWhen, ReplaySubject } from 'rxjs'
import type { GuestPort, Report } from '../../src/guest/index.js'
import type { VhostDriver, VhostDriverOptions } from '../../src/index.js'
import { enqueue, release, retain } from '../../src/operators/index.js'
import { intact, scene, turns, until, watchEvents } from './support/scene.js'

test.beforeEach(t => t.timeout(120_000))

const FRAMES = 3000

interface Setup {
  a: VhostDriver
  b: VhostDriver
  from: GuestPort
  to: GuestPort
  gate: ReplaySubject<void>
  /** All frames went to guest b, and nobody holds anything. */
  arrived(): Promise<Report>
}

/** Guest a sends to guest b, through leases that are held until the gate opens. */
async function held(
  t: ExecutionContext,
  form: 'bursts' | 'packets',
  options: VhostDriverOptions,
): Promise<Setup> {
  const it = scene(t)
  const [a, b] = [it.driver('a', options), it.driver('b')]
  const gate = new ReplaySubject<void>(1)
  const out =
    form === 'bursts'
      ? a.fromGuest().pipe(
          retain(),
          delayWhen(() => gate),
          release(),
          enqueue(b.toGuest()),
        )
      : a.fromGuest().packets.pipe(
          retain(),
          delayWhen(() => gate),
          release(),
          enqueue(b.toGuest()),
        )
  it.running(out.subscribe())
  const [from, to] = [await it.guest(a), await it.guest(b)]
  to.check()
  const arrived = async () => {
    const report = await to.whenReceived(FRAMES)
    await until(() => a.fromGuest().stats.held === 0 && b.toGuest().stats.held === 0)
    return report
  }
  return { a, b, from, to, gate, arrived }
}

for (const form of ['bursts', 'packets'] as const)
  test.serial(`held ${form} stop the dequeue at the mark, and arrive complete and in order`, async t => {
    const { a, from, gate, arrived } = await held(t, form, { highWaterMark: 200 })
    const sent = from.generate({ frames: FRAMES, length: [64, 1514] })
    await until(() => a.fromGuest().stats.held === 200)
    // The guest's ring is full as well by now, or will be: nothing more is taken from it.
    await turns(100)
    t.is(a.fromGuest().stats.packets, 200)
    gate.next()
    t.is(await sent, FRAMES)
    t.like(await arrived(), { received: FRAMES, ...intact })
    t.is(a.fromGuest().stats.packets, FRAMES)
    t.deepEqual(a.fromGuest().stats.drops, {})
  })

test.serial('credit is counted in bytes too', async t => {
  const { a, from, gate, arrived } = await held(t, 'packets', { highWaterBytes: 100_000 })
  const sent = from.generate({ frames: FRAMES, length: 1500 })
  await until(() => a.fromGuest().stats.bytes >= 100_000)
  await turns(100)
  t.true(a.fromGuest().stats.bytes < 100_000 + 1500, `${a.fromGuest().stats.bytes} bytes`)
  gate.next()
  await sent
  t.like(await arrived(), { received: FRAMES, ...intact })
})

test.serial('a guest that posts no buffers stalls its source, end to end, and loses nothing', async t => {
  const it = scene(t)
  const [a, b] = [it.driver('a', { highWaterMark: 300 }), it.driver('b')]
  it.running(a.fromGuest().pipe(enqueue(b.toGuest())).subscribe())
  const [from, to] = [await it.guest(a), await it.guest(b, { autoPost: false })]
  const sent = from.generate({ frames: FRAMES, length: [64, 1514] })
  await until(() => a.fromGuest().stats.held === 300)
  await turns(100)
  t.is(b.toGuest().stats.held, 300)
  t.is(b.toGuest().stats.packets, 0)
  to.check()
  // The guest posts only a few at a time, and so the ring stays full throughout.
  let over = false
  const all = to.whenReceived(FRAMES).finally(() => {
    over = true
  })
  await until(() => {
    to.postReceive(7)
    return over
  })
  t.like(await all, { received: FRAMES, ...intact })
  await sent
  await until(() => a.fromGuest().stats.held === 0)
  t.deepEqual([a.fromGuest().stats.drops, b.toGuest().stats.drops], [{}, {}])
})

test.serial('leases that nobody releases are told, with who holds them', async t => {
  const it = scene(t)
  const a = it.driver('a', { highWaterMark: 64 })
  const { events, subscription } = watchEvents(a)
  it.running(subscription)
  const holding = it.running(a.fromGuest().pipe(retain('the forgetful one')).subscribe())
  const from = await it.guest(a)
  const sent = from.generate({ frames: 100 })
  await until(() => events.some(event => event.type === 'stalled'))
  t.like(
    events.find(event => event.type === 'stalled'),
    { ring: 1, packets: 64, holders: { 'the forgetful one': 1 } },
  )
  holding.unsubscribe()
  t.is(a.fromGuest().stats.held, 0)
  await sent
})
