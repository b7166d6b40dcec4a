// Risk: a long-running process makes a driver for each VM, thousands of them over time. Each one's queues take lease
// accounts and reserves of the pool, which must be back when the driver is not used any more, though nobody says so.
import { join } from 'node:path'
import test from 'ava'
import { merge } from 'rxjs'
import { native } from '../../src/addon/native.js'
import { dataPlane } from '../../src/data/env.js'
import { GuestPort } from '../../src/guest/index.js'
import { VhostDriver } from '../../src/index.js'
import { enqueue } from '../../src/operators/index.js'
import { folder, scene, turns } from './support/scene.js'

test.beforeEach(t => t.timeout(120_000))

test.serial('three thousand drivers, one after the other, leave the pool as it was', async t => {
  const path = join(folder(t), 'v.sock')
  const { pool } = dataPlane()
  for (let n = 0; n < 3000; n++) {
    const driver = new VhostDriver(path)
    const running = merge(driver.fromGuest(), driver.fromGuest().pipe(enqueue(driver.toGuest()))).subscribe()
    if (n % 100 === 0) {
      // A device attaches the queues to its rings, and each takes its account and its reserve.
      const guest = new GuestPort(path)
      await guest.connect()
      guest.close()
    }
    running.unsubscribe()
    await turns(2)
    t.is(pool.leases, 0)
  }
  t.is(native().deviceCount(), 0)
  t.is(pool.accounts.count, 1, 'account 0 alone is open')
})

test.serial('a driver that is used again has its credit and its reserve again', async t => {
  const it = scene(t)
  const [a, b] = [it.driver('a', { highWaterMark: 64 }), it.driver('b')]
  for (let n = 0; n < 3; n++) {
    const running = a.fromGuest().pipe(enqueue(b.toGuest())).subscribe()
    const [from, to] = [await it.guest(a), await it.guest(b)]
    to.check()
    const sent = from.generate({ frames: 5000 })
    t.like(await to.whenReceived(5000), { lost: 0, reordered: 0, corrupted: 0 })
    await sent
    running.unsubscribe()
    from.close()
    to.close()
    await turns(2)
  }
  t.is(a.fromGuest().stats.packets, 15_000)
})
