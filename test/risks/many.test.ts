// Risk: a limit that a thousand devices meet, and nobody is told. What there can be many of has no table that fills up
// unseen, or says so: an event with what to do.
import { readdirSync } from 'node:fs'
import test from 'ava'
import { dataPlane } from '../../src/data/env.js'
import { enqueue } from '../../src/operators/index.js'
import { fixture } from './support/child.js'
import { folder, intact, scene, until, watchEvents } from './support/scene.js'

test.beforeEach(t => t.timeout(120_000))

/** As a queue of a driver opens one. */
const account = { packets: 1024, bytes: 8 << 20, smallReserve: 64, largeReserve: 4 }

test.serial(
  'a device that comes after a thousand queues with reserves moves packets as the first did',
  async t => {
    const it = scene(t)
    const { accounts } = dataPlane().pool
    const others = Array.from({ length: 1000 }, () => accounts.open(account))
    t.teardown(() => others.forEach(other => void accounts.close(other)))
    const driver = it.driver('a')
    it.running(driver.fromGuest().pipe(enqueue(driver.toGuest())).subscribe())
    const guest = await it.guest(driver)
    guest.check()
    const sent = await guest.generate({ frames: 5000, length: [64, 1514] })
    t.is(sent, 5000)
    t.like(await guest.whenReceived(sent), { ...intact, received: 5000 })
  },
)

test.serial('a device for which no account is left is told as a fault, and ends; others go on', async t => {
  const it = scene(t)
  const { accounts } = dataPlane().pool
  const first = it.driver('first')
  it.running(first.fromGuest().pipe(enqueue(first.toGuest())).subscribe())
  const guest = await it.guest(first)
  const others: number[] = []
  try {
    for (;;) others.push(accounts.open(account))
  } catch (error) {
    t.like(error, { code: 'ERR_VHOST_POOL_EXHAUSTED' })
  }
  t.teardown(() => others.forEach(other => void accounts.close(other)))
  const late = it.driver('late')
  const { events, subscription } = watchEvents(late)
  it.running(subscription)
  it.running(late.fromGuest().subscribe())
  await t.throwsAsync(it.guest(late))
  await until(() => events.some(({ type }) => type === 'closed'))
  t.like(
    events.find(event => event.type === 'fault'),
    { error: { code: 'ERR_VHOST_POOL_EXHAUSTED' } },
  )
  t.like(events.at(-1), { type: 'closed', reason: 'exhausted' })
  guest.check()
  await guest.generate({ frames: 1000 })
  t.like(await guest.whenReceived(1000), { ...intact, received: 1000 })
})

test('a ring whose kicks can not be watched is told as a fault, with what to do', async t => {
  const child = fixture(t, 'no-files', [folder(t)])
  const fault = await child.value<Record<string, unknown>>('fault')
  t.like(fault, { code: 'ERR_VHOST_RING', reason: 'kick_watch', ring: 0 })
  t.regex(String(fault.fix), /ulimit -n/)
})

test('a kick that can not be watched is refused, and the former one is heard as before', async t => {
  const child = fixture(t, 'kick-not-watched', [])
  t.deepEqual(await child.value('kicks'), {
    before: [1, 1],
    another: 'kick_watch, and closed',
    itsFirst: 'kick_watch, and closed',
    kept: [1, 1],
    again: 'taken',
    moved: [1, 1],
  })
})

test('SIGTERM leaves none of two thousand socket files', async t => {
  const home = folder(t)
  const child = fixture(t, 'many-listeners', [home, '2000'])
  await child.line('listening')
  t.is(readdirSync(home).length, 2000)
  child.kill('SIGTERM')
  t.deepEqual(await child.ended, { code: null, signal: 'SIGTERM' })
  t.deepEqual(readdirSync(home), [])
})
