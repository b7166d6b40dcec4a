// Risk: a driver that is disposed of, or whose signal is aborted, leaves a socket, a subscription or a lease behind, or
// comes back to life by a late subscription.
import { existsSync } from 'node:fs'
import test from 'ava'
import { repeat } from 'rxjs'
import { type HeldBurst, VhostDriver } from '../../src/index.js'
import { enqueue } from '../../src/operators/index.js'
import { scene, turns, until, watchEvents } from './support/scene.js'

test.beforeEach(t => t.timeout(60_000))

for (const way of ['await using', 'signal'] as const)
  test.serial(
    `${way}: subscribers and pipelines complete, devices and sockets go, at once and for good`,
    async t => {
      const it = scene(t)
      const stop = new AbortController()
      const a = it.driver('a', { signal: stop.signal })
      const b = it.driver('b')
      const ends: string[] = []
      const own: HeldBurst[] = []
      const { events, subscription } = watchEvents(a)
      it.running(subscription)
      it.running(b.subscribe())
      it.running(a.subscribe({ complete: () => ends.push('devices') }))
      it.running(
        a
          .fromGuest()
          .pipe(enqueue(b.toGuest()))
          .subscribe({ complete: () => ends.push('pipeline') }),
      )
      it.running(a.fromGuest().subscribe(burst => own.push(burst.retain())))
      const guest = await it.guest(a)
      await it.guest(b)
      await guest.generate({ frames: 10 })
      await until(() => a.fromGuest().stats.packets === 10)
      const queue = a.fromGuest()
      if (way === 'signal') stop.abort()
      else await a[Symbol.asyncDispose]()
      t.deepEqual(ends.sort(), ['devices', 'pipeline'])
      t.false(existsSync(a.path))
      t.true(events.some(event => event.type === 'closed'))
      // What was retained is its owner's.
      t.true(own[0].bytes > 0)
      for (const burst of own) burst.release()
      t.is(queue.stats.held, 0)
      // Later, again and again: completes, and opens nothing.
      let opened = 0
      a.events.subscribe(() => opened++)
      let completed = 0
      const complete = (): void => {
        completed++
      }
      a.subscribe({ complete })
      queue.pipe(repeat(3)).subscribe({ complete })
      a.fromGuest().subscribe({ complete })
      a.fromGuest(1).packets.subscribe({ complete })
      await turns()
      t.deepEqual([completed, opened], [4, 0])
      await a[Symbol.asyncDispose]()
    },
  )

test.serial('await using, with a scope', async t => {
  const { path } = scene(t).driver('a')
  {
    await using a = new VhostDriver(path)
    a.subscribe()
    t.true(existsSync(path))
  }
  t.false(existsSync(path))
})

test.serial('a signal that is aborted already: the driver never opens', t => {
  const a = new VhostDriver(scene(t).driver('a').path, { signal: AbortSignal.abort() })
  let completed = 0
  a.events.subscribe(() => t.fail())
  a.subscribe({ complete: () => completed++ })
  a.fromGuest().subscribe({ complete: () => completed++ })
  t.is(completed, 2)
  t.false(existsSync(a.path))
})

test.serial('a driver that is closed forgets its signal, and hears it when it is open again', t => {
  const stop = new AbortController()
  const a = scene(t).driver('a', { signal: stop.signal })
  a.subscribe().unsubscribe()
  let completed = 0
  a.subscribe({ complete: () => completed++ })
  t.true(existsSync(a.path))
  stop.abort()
  t.is(completed, 1)
  t.false(existsSync(a.path))
})

test.serial('what a sink keeps for an absent device goes with its driver', async t => {
  const it = scene(t)
  const [a, b] = [it.driver('a'), it.driver('b')]
  const sink = b.toGuest({ whileAbsent: 'block' })
  it.running(a.fromGuest().pipe(enqueue(sink)).subscribe())
  const guest = await it.guest(a)
  await guest.generate({ frames: 10 })
  await until(() => sink.stats.held === 10)
  await b[Symbol.asyncDispose]()
  t.is(a.fromGuest().stats.held, 0)
  t.like(sink.stats, { held: 0, drops: { gone: 10 } })
})
