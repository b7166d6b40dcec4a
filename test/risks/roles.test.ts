// Who listens, who connects, and who may: a driver in both roles, on sockets that it makes and on sockets that it is given.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import test from 'ava'
import { native } from '../../src/addon/native.js'
import { type DriverEvent, type PeerCredentials, VhostDriver } from '../../src/index.js'
import { Peer } from '../transport/sockets.js'
import { folder, scene, turns, until } from './support/scene.js'

test.beforeEach(t => t.timeout(60_000))

test.serial('mode and group are the socket file’s before anybody can connect', t => {
  const path = join(folder(t), 'a.sock')
  const group = process.getgid!()
  const driver = new VhostDriver(path, { mode: 0o640, group })
  const running = driver.subscribe()
  t.is(statSync(path).mode & 0o777, 0o640)
  t.is(statSync(path).gid, group)
  running.unsubscribe()
  t.false(existsSync(path))
})

test.serial('a group by its name; one that does not exist is an error with its fix', t => {
  const path = join(folder(t), 'a.sock')
  const running = new VhostDriver(path, { group: 'root' }).subscribe({ error: () => {} })
  if (process.getuid!() === 0) t.is(statSync(path).gid, 0)
  running.unsubscribe()
  let failed: unknown
  new VhostDriver(path, { group: 'no-such-group' }).subscribe({
    error: error => {
      failed = error
    },
  })
  t.like(failed, { code: 'ERR_VHOST_INVALID_ARGUMENT' })
  t.false(existsSync(path))
})

test('what no role, mode or path can be throws at once', t => {
  t.throws(() => new VhostDriver('/tmp/a', { role: 'peer' as 'server' }), { instanceOf: TypeError })
  t.throws(() => new VhostDriver('/tmp/a', { mode: 0o1777 }), { instanceOf: RangeError })
  for (const reconnect of [{ first: 0 }, { most: Number.NaN }, { most: Number.POSITIVE_INFINITY }])
    t.throws(() => new VhostDriver('/tmp/a', { role: 'client', reconnect }), { instanceOf: RangeError })
})

test.serial(
  'peers: a process that is not on the list is refused and told, and the next one is served',
  async t => {
    const it = scene(t)
    const seen: PeerCredentials[] = []
    let open = false
    const a = it.driver('a', { peers: peer => seen.push(peer) > 0 && open })
    const told: DriverEvent[] = []
    a.events.subscribe(event => told.push(event))
    it.running(a.subscribe())
    const stranger = new Peer(a.path)
    await until(() => told.length === 2)
    t.like(told[1], { type: 'refused', reason: 'peer', peer: { pid: process.pid, uid: process.getuid!() } })
    stranger.close()
    open = true
    await it.guest(a)
    t.is(seen.length, 2)
  },
)

test.serial(
  'a client that may not talk to the process behind the socket tries again, with pauses',
  async t => {
    const path = join(folder(t), 'front-end.sock')
    const server = createServer(socket => socket.on('error', () => {})).listen(path)
    t.teardown(() => server.close())
    await once(server, 'listening')
    const driver = new VhostDriver(path, {
      role: 'client',
      peers: { uids: [] },
      reconnect: { first: 1, most: 8 },
    })
    const told: DriverEvent[] = []
    driver.events.subscribe(event => told.push(event))
    const running = driver.subscribe()
    await until(() => told.length >= 9)
    running.unsubscribe()
    t.deepEqual(
      told.slice(0, 9).map(({ type }) => type),
      ['connecting', ...Array(4).fill(['refused', 'retrying']).flat()],
    )
  },
)

test.serial(
  'a client: connecting, retrying while nobody is there, and nothing left once unsubscribed',
  async t => {
    const path = join(folder(t), 'front-end.sock')
    const driver = new VhostDriver(path, { role: 'client', reconnect: { first: 1, most: 4 } })
    const told: DriverEvent[] = []
    driver.events.subscribe(event => told.push(event))
    const running = driver.subscribe()
    await until(() => told.length > 5)
    t.like(told[0], { type: 'connecting', path })
    t.like(told[5], { type: 'retrying', attempt: 5, reason: 'ENOENT' })
    running.unsubscribe()
    const count = told.length
    await turns(50)
    t.is(told.length, count)
    t.is(told.at(-1)?.type, 'closed')
  },
)

test.serial('reconnect: false: a failure is the error, the end of the connection completes', async t => {
  const path = join(folder(t), 'front-end.sock')
  const driver = new VhostDriver(path, { role: 'client', reconnect: false })
  const failed = await new Promise(resolve => driver.subscribe({ error: resolve }))
  t.like(failed, { code: 'ERR_VHOST_CONNECT_FAILED', reason: 'ENOENT' })
  const server = createServer(socket => socket.on('error', () => {}).end()).listen(path)
  t.teardown(() => server.close())
  await once(server, 'listening')
  let devices = 0
  // And again: each subscription after an end makes one attempt, and its pipelines complete with it.
  for (let n = 1; n <= 3; n++) {
    const ends = [
      new Promise<void>(complete => driver.subscribe({ next: () => devices++, complete })),
      new Promise<void>(complete => driver.fromGuest().subscribe({ complete })),
    ]
    await Promise.all(ends)
    t.is(devices, n)
  }
})

test.serial('fd: a listening socket that a supervisor made; its file stays', async t => {
  const path = join(folder(t), 'a.sock')
  const script = `
    import { VhostDriver } from ${JSON.stringify(new URL('../../src/index.js', import.meta.url).href)}
    const driver = new VhostDriver('supervised', { fd: 3, maxDevices: 2 })
    let left = 2
    const running = driver.subscribe(device => device.subscribe({ complete() {
      if (--left > 0) return
      running.unsubscribe()
      driver.subscribe({ error: error => console.log(error.code) })
    } }))
  `
  const socket = native().socketListen(path, 5)
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit', native().rawNumber(socket)],
  })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  child.stdout!.setEncoding('utf8').on('data', text => {
    output += text
  })
  for (let n = 0; n < 2; n++) {
    const peer = new Peer(path)
    t.true(peer.send([1]) > 0)
    peer.close()
  }
  t.deepEqual(await once(child, 'exit'), [0, null])
  t.is(output.trim(), 'ERR_VHOST_CONNECT_FAILED', 'its number is not used twice')
  t.true(existsSync(path))
  native().closeFd(socket)
})

test.serial('a socket whose permissions forbid it is retried like one that is not there', async t => {
  const path = join(folder(t), 'front-end.sock')
  const server = createServer().listen(path)
  t.teardown(() => server.close())
  await once(server, 'listening')
  chmodSync(path, 0)
  if (process.geteuid!() === 0) {
    // Root may do anything, so this process is someone else meanwhile.
    chmodSync(dirname(path), 0o755)
    process.seteuid!(65534)
    t.teardown(() => process.seteuid!(0))
  }
  const told: DriverEvent[] = []
  const driver = new VhostDriver(path, { role: 'client' })
  driver.events.subscribe(event => told.push(event))
  const running = driver.subscribe()
  await until(() => told.length > 1)
  t.like(told[1], { type: 'retrying', reason: 'EACCES' })
  running.unsubscribe()
})
