// How long a client waits between attempts, and where a driver's connections come from when it does not listen.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { native } from '../../src/addon/native.js'
import { refLoop, unrefLoop } from '../../src/addon/wakeup.js'
import { isAllowed } from '../../src/transport/access.js'
import { Backoff } from '../../src/transport/backoff.js'
import type { Connection } from '../../src/transport/connection.js'
import { listen } from '../../src/transport/listener.js'
import { type Origin, type OriginOptions, openOrigin, type Retry } from '../../src/transport/origin.js'
import { FakeTimers, folder, turns, until } from './sockets.js'

test('each wait doubles up to the limit, less at most half of it, and begins anew after a success', t => {
  const without = new Backoff({ first: 50, most: 2000, random: () => 0 })
  t.deepEqual(
    Array.from({ length: 8 }, () => without.next()),
    [50, 100, 200, 400, 800, 1600, 2000, 2000],
  )
  without.reset()
  t.is(without.next(), 50)
  const most = new Backoff({ first: 50, most: 2000, random: () => 0.999999 })
  t.deepEqual([most.next(), most.next()], [25, 50])
})

test('two thousand failures in a row wait no longer than the limit', t => {
  const backoff = new Backoff({ first: 1, most: 500 })
  for (let n = 0; n < 2000; n++) {
    const wait = backoff.next()
    t.true(wait >= 0 && wait <= 500)
  }
})

test('an allow-list lets in whom any of its lists names, and nobody whom the kernel does not know', t => {
  const peer = { pid: 7, uid: 1000, gid: 100 }
  t.true(isAllowed(undefined, peer))
  t.true(isAllowed({ uids: [1000] }, peer))
  t.true(isAllowed({ uids: [0], gids: [100] }, peer))
  t.true(isAllowed({ pids: [7] }, peer))
  t.true(isAllowed(({ uid }) => uid === 1000, peer))
  for (const list of [{}, { uids: [] }, { uids: [0] }, { pids: [8] }, () => false])
    t.false(isAllowed(list, peer))
  t.false(isAllowed({ uids: [1000] }, undefined))
  t.false(isAllowed(() => true, undefined))
})

interface Scene {
  path: string
  timers: FakeTimers
  connections: Connection[]
  retries: Retry[]
  origin: Origin
}

function client(t: ExecutionContext, options: OriginOptions = {}): Scene {
  const timers = new FakeTimers()
  const path = join(folder(t), 'front-end.sock')
  const connections: Connection[] = []
  const retries: Retry[] = []
  refLoop()
  t.teardown(unrefLoop)
  const origin = openOrigin(
    path,
    {
      onConnection: connection => connections.push(connection),
      onRetry: retry => retries.push(retry),
    },
    { role: 'client', timers, random: () => 0, ...options },
  )
  t.teardown(() => {
    origin.close()
    for (const connection of connections) connection.close()
  })
  return { path, timers, connections, retries, origin }
}

test.serial('a client tries for ever while nobody is there, and connects once somebody listens', async t => {
  const { path, timers, connections, retries } = client(t)
  await until(() => retries.length === 1)
  t.deepEqual(retries, [{ attempt: 1, delay: 50, reason: 'ENOENT' }])
  // An outage of hours, in which each attempt is half a wait apart from the next at least.
  for (let n = 1; n < 4000; n++) timers.pass(retries.at(-1)!.delay)
  t.is(retries.length, 4000)
  t.deepEqual(retries.at(-1), { attempt: 4000, delay: 2000, reason: 'ENOENT' })
  const accepted: Connection[] = []
  const frontEnd = listen(path, { onConnection: connection => accepted.push(connection) })
  t.teardown(() => frontEnd.close())
  timers.pass(2000)
  await until(() => accepted.length === 1)
  t.is(connections.length, 1)
  t.is(timers.waiting, 0)
  for (const connection of accepted) connection.close()
})

test.serial('a front end that hangs up at once is not met with attempts without pause', async t => {
  const { path, timers, connections, retries, origin } = client(t)
  const frontEnd = listen(path, { onConnection: connection => connection.close() })
  t.teardown(() => frontEnd.close())
  await until(() => connections.length + retries.length > 0)
  for (let n = 0; n < 8; n++) {
    if (connections.length > 0) origin.over(false)
    timers.pass(retries.at(-1)!.delay)
  }
  t.true(retries.at(-1)!.delay >= 1600)
  const failures = retries.length
  origin.over(true)
  t.deepEqual(retries[failures], { attempt: 1, delay: 50, reason: 'lost' })
})

test.serial('once closed it tries no more', async t => {
  const { timers, retries, origin } = client(t)
  await until(() => retries.length === 1)
  origin.close()
  t.is(timers.waiting, 0)
  origin.over(true)
  await turns()
  t.is(retries.length, 1)
})

test('closed before its first attempt it makes none', async t => {
  const { retries, origin } = client(t)
  origin.close()
  await turns()
  t.deepEqual(retries, [])
})

test.serial('reconnect: false makes one attempt, whose failure is told at once', async t => {
  t.throws(() => client(t, { reconnect: false }), { code: 'ERR_VHOST_CONNECT_FAILED' })
  const path = join(folder(t), 'a.sock')
  const frontEnd = listen(path, { onConnection: connection => connection.close() })
  t.teardown(() => frontEnd.close())
  const before = native().fdCount()
  const connections: Connection[] = []
  const handlers = { onConnection: (connection: Connection) => connections.push(connection) }
  const origin = openOrigin(path, handlers, { role: 'client', reconnect: false })
  t.is(connections.length, 0, 'in a later turn')
  await until(() => connections.length === 1)
  t.true(origin.last)
  connections[0].close()
  // One that is closed before it was handed on is closed itself.
  openOrigin(path, handlers, { role: 'client', reconnect: false }).close()
  await until(() => native().fdCount() === before)
  t.is(connections.length, 1)
  t.true(existsSync(path), 'the socket file is the front end’s')
})
