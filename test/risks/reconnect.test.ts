// Risk: a pipeline is bound to a connection, a ring or a boot of its guest, and has to be built anew after each. One
// that is made of driver.fromGuest() and toGuest() survives them all, and loses nothing inside of a connection.
import test, { type ExecutionContext } from 'ava'
import { merge } from 'rxjs'
import { GuestPort } from '../../src/guest/index.js'
import type { DeviceEvent, DriverEvent, VhostDevice, VhostDriver } from '../../src/index.js'
import { enqueue } from '../../src/operators/index.js'
import { intact, type Scene, scene, turns, until, watchEvents } from './support/scene.js'

test.beforeEach(t => t.timeout(120_000))

const TIMES = 20
const FRAMES = 500

const names = (events: DeviceEvent[], ...wanted: string[]) =>
  events.flatMap(({ type }) => (wanted.includes(type) ? [type] : []))

/** Both ways between a and b, with both drivers in use from outside as well. */
function joined(it: Scene): { a: VhostDriver; b: VhostDriver; events: DeviceEvent[] } {
  const [a, b] = [it.driver('a'), it.driver('b')]
  const { events, subscription } = watchEvents(a)
  it.running(subscription)
  it.running(
    merge(a.fromGuest().pipe(enqueue(b.toGuest())), b.fromGuest().pipe(enqueue(a.toGuest()))).subscribe(),
  )
  return { a, b, events }
}

/** `FRAMES` each way, and every one arrives. */
async function talk(t: ExecutionContext, one: GuestPort, other: GuestPort, source: number) {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ]) {
    to.check({ adopt: true })
    const sent = from.generate({ frames: FRAMES, source })
    t.like(await to.whenReceived(FRAMES), { received: FRAMES, ...intact })
    await sent
  }
}

test.serial('a guest that stops and goes on', async t => {
  const it = scene(t)
  const { a, b, events } = joined(it)
  const [one, other] = [await it.guest(a), await it.guest(b)]
  for (let n = 0; n < TIMES; n++) {
    await talk(t, one, other, n % 8)
    await one.stop()
    await one.start()
  }
  await talk(t, one, other, 1)
  t.is(names(events, 'ready').length, TIMES + 1)
  t.is(names(events, 'stopped').length, TIMES)
})

test.serial('a stop in the middle of traffic loses nothing: it goes on where it was', async t => {
  const it = scene(t)
  const { a, b } = joined(it)
  const [one, other] = [await it.guest(a), await it.guest(b)]
  other.check()
  const sent = one.generate({ frames: 40 * TIMES * 256, length: [64, 1514] })
  for (let n = 1; n <= TIMES; n++) {
    await other.whenReceived(n * 1000)
    await one.stop()
    await one.start()
  }
  t.like(await other.whenReceived(40 * TIMES * 256), { received: 40 * TIMES * 256, ...intact })
  await sent
})

test.serial('a guest that reboots, with empty rings', async t => {
  const it = scene(t)
  const { a, b, events } = joined(it)
  const [one, other] = [await it.guest(a), await it.guest(b)]
  for (let n = 0; n < TIMES; n++) {
    await talk(t, one, other, n % 8)
    await one.restart({ fresh: true })
  }
  await talk(t, one, other, 1)
  t.deepEqual(names(events, 'ready', 'stopped').slice(0, 4), ['ready', 'stopped', 'ready', 'stopped'])
  t.is(names(events, 'fault').length, 0)
})

test.serial('a guest that goes, in the middle of traffic, and another one that comes', async t => {
  const it = scene(t)
  const { a, b, events } = joined(it)
  const other = await it.guest(b)
  for (let n = 0; n < TIMES; n++) {
    const one = await it.guest(a, {
      layout: n % 2 ? 'split' : 'single',
      mergeable: n % 3 > 0,
      regions: 1 + (n % 3),
    })
    await talk(t, one, other, n % 8)
    const rest = one.generate({ source: 9 })
    await turns(3)
    one.close()
    await rest
    await until(() => names(events, 'closed').length === n + 1)
  }
  t.is(names(events, 'fault').length, 0)
  t.is(names(events, 'ready').length, TIMES)
})

test.serial('A22: one connection too many is closed and told, and the first does not notice', async t => {
  const it = scene(t)
  const { a, b } = joined(it)
  const told: DriverEvent[] = []
  a.events.subscribe(event => told.push(event))
  const [one, other] = [await it.guest(a), await it.guest(b)]
  other.check()
  const sent = one.generate({ frames: 20_000 })
  for (let n = 1; n <= 5; n++) {
    await other.whenReceived(n * 1000)
    const second = new GuestPort(a.path)
    await t.throwsAsync(second.connect(), { code: 'ERR_VHOST_PROTOCOL', message: /hung up|ECONNRESET/ })
    second.close()
  }
  t.deepEqual(
    told.map(({ type }) => type),
    Array(5).fill('refused'),
  )
  t.like(await other.whenReceived(20_000), { received: 20_000, ...intact })
  await sent
})

test.serial('maxDevices: 2 serves two; when the first goes, the pipeline follows the second', async t => {
  const it = scene(t)
  const [a, b] = [it.driver('a', { maxDevices: 2 }), it.driver('b')]
  const devices: VhostDevice[] = []
  it.running(a.subscribe(device => devices.push(device)))
  it.running(a.fromGuest().pipe(enqueue(b.toGuest())).subscribe())
  const [first, second, to] = [await it.guest(a), await it.guest(a), await it.guest(b)]
  t.is(devices.length, 2)
  to.check()
  await first.generate({ frames: 100, source: 1 })
  await to.whenReceived(100)
  first.close()
  await second.generate({ frames: 100, source: 2 })
  t.like(await to.whenReceived(200), { received: 200, ...intact })
})

test.serial(
  'subscribers share the listener; a late one gets the device at once, and a snapshot first',
  async t => {
    const it = scene(t)
    const a = it.driver('a')
    const listening: DriverEvent[] = []
    a.events.subscribe(event => listening.push(event))
    const early: VhostDevice[] = []
    const first = a.subscribe(device => early.push(device))
    const guest = await it.guest(a)
    const late: VhostDevice[] = []
    const second = a.subscribe(device => late.push(device))
    t.deepEqual(late, early)
    const events: DeviceEvent[] = []
    late[0].subscribe(event => events.push(event))
    t.is(events.length, 1)
    t.like(events[0], { type: 'snapshot', ready: true })
    first.unsubscribe()
    await guest.restart()
    t.deepEqual(names(events, 'snapshot', 'stopped', 'ready'), ['snapshot', 'stopped', 'ready'])
    second.unsubscribe()
    t.deepEqual(
      listening.map(({ type }) => type),
      ['listening', 'closed'],
    )
    t.throws(() => late[0].fromGuest(), { code: 'ERR_VHOST_DEVICE_GONE' })
  },
)
