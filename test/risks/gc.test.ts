// Risk: objects that still have leases, or native parts, are collected (N3 of the catalogue of hostile inputs). Nothing here relies on
// finalizers: a lease that was dropped stays out, is told as a stall, and can do no harm.
import test from 'ava'
import { native } from '../../src/addon/native.js'
import { GuestPort } from '../../src/guest/index.js'
import { type HeldBurst, VhostDriver } from '../../src/index.js'
import { retain } from '../../src/operators/index.js'
import { scene, turns, until, watchEvents } from './support/scene.js'

test.beforeEach(t => t.timeout(120_000))

const collect = async (): Promise<void> => {
  globalThis.gc?.()
  await turns(5)
  globalThis.gc?.()
}

test.serial('leases that nobody has any more stay out, and are told', async t => {
  const it = scene(t)
  const a = it.driver('a', { highWaterMark: 128 })
  const { events, subscription } = watchEvents(a)
  it.running(subscription)
  const seen: WeakRef<HeldBurst>[] = []
  const dropping = a.fromGuest().subscribe(burst => seen.push(new WeakRef(burst.retain())))
  const from = await it.guest(a)
  from.generate({ frames: 1000 }).catch(() => {})
  await until(() => a.fromGuest().stats.held === 128)
  await collect()
  t.is(a.fromGuest().stats.held, 128)
  await until(() => events.some(({ type }) => type === 'stalled'))
  dropping.unsubscribe()
  t.is(a.fromGuest().stats.held, 128)
})

test.serial('held packets are good after their device, its memory and its driver are gone', async t => {
  const path = scene(t).driver('v').path
  const held: HeldBurst[] = []
  await (async () => {
    const driver = new VhostDriver(path)
    const running = driver.fromGuest().subscribe(burst => held.push(burst.retain()))
    const guest = new GuestPort(path)
    await guest.connect()
    await guest.generate({ frames: 200, length: [64, 1514] })
    await until(() => driver.fromGuest().stats.packets === 200)
    guest.close()
    running.unsubscribe()
  })()
  await turns(5)
  await collect()
  t.is(native().deviceCount(), 0)
  let packets = 0
  for (const burst of held) {
    for (let n = 0; n < burst.length; n++) {
      const packet = burst.packet(n)
      t.true(packet.length >= 64)
      t.is(packet.toBuffer().length, packet.length)
      packets++
    }
    burst.release()
    t.throws(() => burst.length, { code: 'ERR_VHOST_LEASE_RELEASED' })
  }
  t.is(packets, 200)
})

test.serial('drivers, devices, queues and guests that are dropped while in use do no harm', async t => {
  const path = scene(t).driver('v').path
  for (let n = 0; n < 20; n++) {
    await (async () => {
      const driver = new VhostDriver(path)
      const held = driver.fromGuest().pipe(retain()).subscribe()
      const guest = new GuestPort(path)
      await guest.connect()
      guest.generate().catch(() => {})
      await until(() => driver.fromGuest().stats.held >= 100)
      if (n % 2) held.unsubscribe()
      guest.close()
      await collect()
      held.unsubscribe()
    })()
    await collect()
  }
  await turns(5)
  t.is(native().deviceCount(), 0)
})
