// Risk: packets at full rate take the whole event loop, or one busy guest takes the others' share (N11 of the catalogue of hostile inputs).
// Measured in turns of the event loop, not in time: a turn in which timers and sockets had their chance is a breath.
import { join } from 'node:path'
import test from 'ava'
import { merge } from 'rxjs'
import { learningSwitch, makePort } from '../../examples/switch.js'
import { dataPlane } from '../../src/data/env.js'
import { VISIT_PACKETS } from '../../src/data/turn/scheduler.js'
import type { VhostDriver } from '../../src/index.js'
import { enqueue } from '../../src/operators/index.js'
import { intact, scene, turn, until } from './support/scene.js'

test.beforeEach(t => t.timeout(120_000))

const packetsOf = (drivers: VhostDriver[]) =>
  drivers.reduce((sum, driver) => sum + driver.fromGuest().stats.packets, 0)

/** What a subscriber costs that does not only pass packets on. */
function work(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

test.serial('three guests at full rate leave the loop its turns, and a timer its ticks', async t => {
  const it = scene(t)
  const drivers = ['a', 'b', 'c'].map(name => it.driver(name))
  const [a, b, c] = drivers
  it.running(
    merge(
      a.fromGuest().pipe(enqueue(b.toGuest())),
      b.fromGuest().pipe(enqueue(c.toGuest())),
      c.fromGuest().pipe(enqueue(a.toGuest())),
    ).subscribe(),
  )
  const guests = [await it.guest(a), await it.guest(b), await it.guest(c)]
  for (const guest of guests) {
    guest.check()
    guest.generate().catch(() => {})
  }
  let ticks = 0
  const timer = setInterval(() => ticks++, 10)
  t.teardown(() => clearInterval(timer))
  const { scheduler } = dataPlane()
  let most = 0
  while (ticks < 50) {
    const [before, visits] = [packetsOf(drivers), scheduler.turns]
    await turn()
    most = Math.max(most, packetsOf(drivers) - before)
    t.true(scheduler.turns - visits <= 1, 'one turn of the scheduler in a turn of the loop')
  }
  t.log(`50 ticks while ${packetsOf(drivers)} packets passed, at most ${most} in a turn`)
  t.true(packetsOf(drivers) > 10_000)
  // A ring holds 256, and the guests refill theirs once a turn: no turn can have moved more than a few rings.
  t.true(most <= 3 * 3 * 256, `${most} packets in one turn`)
})

test.serial('a slow subscriber gets one burst a turn, and timers run in between', async t => {
  const it = scene(t)
  const a = it.driver('a')
  let bursts = 0
  let sinceBreath = 0
  let most = 0
  it.running(
    a.fromGuest().subscribe(() => {
      bursts++
      most = Math.max(most, ++sinceBreath)
      work(2)
    }),
  )
  const from = await it.guest(a)
  from.generate().catch(() => {})
  let ticks = 0
  const breathe = (): void => {
    sinceBreath = 0
    ticks++
    if (ticks < 100) timer = setTimeout(breathe, 1)
  }
  let timer = setTimeout(breathe, 1)
  t.teardown(() => clearTimeout(timer))
  await until(() => ticks >= 100)
  t.true(bursts > 50)
  // A timer that is set inside a turn is due two turns later at the latest.
  t.true(most <= 2, `${most} bursts without a timer`)
})

test.serial('guests at full rate get equal shares, whatever the length of their frames', async t => {
  const it = scene(t)
  const drivers = ['a', 'b', 'c'].map(name => it.driver(name))
  for (const driver of drivers) it.running(driver.fromGuest().subscribe(() => work(0.2)))
  const lengths = [64, 1514, [64, 1514]] as const
  const guests = await Promise.all(drivers.map(driver => it.guest(driver)))
  for (const [n, guest] of guests.entries()) guest.generate({ length: lengths[n] }).catch(() => {})
  await until(() => drivers.every(driver => driver.fromGuest().stats.packets > VISIT_PACKETS))
  const before = drivers.map(driver => driver.fromGuest().stats.packets)
  await until(() => packetsOf(drivers) > 30_000)
  const shares = drivers.map((driver, n) => driver.fromGuest().stats.packets - before[n])
  t.log(`packets of each: ${shares}`)
  t.true(Math.max(...shares) <= 2 * Math.min(...shares), `${shares}`)
})

test.serial('a guest that sends little is served while others send all they can', async t => {
  const it = scene(t)
  const [a, b, quiet, to] = ['a', 'b', 'quiet', 'to'].map(name => it.driver(name))
  for (const driver of [a, b]) it.running(driver.fromGuest().subscribe(() => work(0.5)))
  it.running(quiet.fromGuest().pipe(enqueue(to.toGuest())).subscribe())
  for (const driver of [a, b]) (await it.guest(driver)).generate().catch(() => {})
  const [from, receiver] = [await it.guest(quiet), await it.guest(to)]
  receiver.check()
  const { scheduler } = dataPlane()
  let slowest = 0
  for (let n = 1; n <= 50; n++) {
    const before = scheduler.turns
    await from.generate({ frames: 1 })
    await receiver.whenReceived(n)
    slowest = Math.max(slowest, scheduler.turns - before)
  }
  t.log(`a frame through in ${slowest} turns at most`)
  // Kick, visit, enqueue, call, check: each may wait for the next turn, and others go first in some.
  t.true(slowest <= 20, `${slowest} turns`)
})

test.serial('a port of a switch whose guest posts no buffers stalls nobody, and comes back', async t => {
  const it = scene(t)
  const ports = ['a', 'b', 'stuck'].map(name => makePort(join(it.folder, `${name}.sock`)))
  it.running(learningSwitch(ports).subscribe())
  const [a, b, stuck] = await Promise.all(
    ports.map(({ driver }, n) => it.guest(driver, { mac: `02:00:00:00:00:0${n + 1}`, autoPost: n < 2 })),
  )
  for (const guest of [a, b, stuck]) guest.check()
  // Floods reach all others: what a sends is for b and for the one that is stuck. b is never ahead of its own ring, so
  // that nothing but the stuck one's share has a reason to be dropped.
  const frames = 20_000
  for (let sent = 0; sent < frames; sent += 200) {
    await Promise.all([a.generate({ frames: 200, source: 1 }), b.generate({ frames: 200, source: 2 })])
    await Promise.all([a.whenReceived(sent + 200), b.whenReceived(sent + 200)])
  }
  t.like(a.report, intact)
  t.like(b.report, intact)
  const { packets, held, drops } = ports[2].sink.stats
  t.deepEqual({ packets, held, drops }, { packets: 0, held: 256, drops: { overflow: 2 * frames - 256 } })
  for (const { driver, sink } of ports.slice(0, 2))
    t.deepEqual([sink.stats.drops, driver.fromGuest().stats.held], [{}, 0])
  // It is a part of the switch all the same: what was kept arrives once it posts, and what it sends is forwarded.
  stuck.postReceive()
  await stuck.whenReceived(256)
  await stuck.generate({ frames: 100, source: 3 })
  await Promise.all([a.whenReceived(frames + 100), b.whenReceived(frames + 100)])
})
