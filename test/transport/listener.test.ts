// Where a socket may be bound, and what is left of it: live servers, stale files, files that are no socket.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { native } from '../../src/addon/native.js'
import { VhostError, type VhostErrorCode } from '../../src/errors.js'
import { adopt, connect } from '../../src/transport/connect.js'
import { listen } from '../../src/transport/listener.js'
import { folder, Peer, scene, turns, until, whole } from './sockets.js'

const nobody = { onConnection: () => {} }

function fails(t: ExecutionContext, code: VhostErrorCode, act: () => unknown): VhostError {
  const error = t.throws(act, { instanceOf: VhostError })
  t.is(error.code, code)
  t.truthy(error.fix, 'it says what to do')
  t.true(error.message.includes(error.fix as string))
  return error
}

/** A socket file that its server left behind. */
function staleSocket(path: string): void {
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
  spawnSync(process.execPath, ['-e', script])
}

test.serial('a socket is there when listen() returns and gone when close() does', t => {
  const path = join(folder(t), 'a.sock')
  for (let i = 0; i < 3; i++) {
    const listener = listen(path, nobody)
    t.true(existsSync(path))
    new Peer(path).close()
    listener.close()
    t.false(existsSync(path))
    listener.close()
  }
})

test.serial('A24: a stale socket is replaced', t => {
  const path = join(folder(t), 'stale.sock')
  staleSocket(path)
  t.true(existsSync(path))
  const listener = listen(path, nobody)
  new Peer(path).close()
  listener.close()
  t.false(existsSync(path))
})

test.serial('A24: a live server is left alone, and is not even disturbed', async t => {
  const s = scene(t)
  const error = fails(t, 'ERR_VHOST_PATH_IN_USE', () => listen(s.path, nobody))
  t.is(error.path, s.path)
  await turns()
  t.is(s.connections.length, 0, 'the check is no connection')
  const { peer } = await s.connect()
  peer.send(whole(1))
  await until(() => s.messages.length === 1)
})

test.serial("A24: so is another program's, with a backlog that is full", async t => {
  const path = join(folder(t), 'node.sock')
  const server = createServer(socket => socket.destroy())
  await new Promise<void>(resolve => server.listen({ path, backlog: 1 }, resolve))
  const waiting: number[] = []
  for (
    let token = native().socketConnect(path);
    token > 0 && waiting.length < 10;
    token = native().socketConnect(path)
  )
    waiting.push(token)
  fails(t, 'ERR_VHOST_PATH_IN_USE', () => listen(path, nobody))
  for (const token of waiting) native().closeFd(token)
  await new Promise(resolve => server.close(resolve))
})

test.serial('A24: what is no socket is never unlinked', t => {
  const home = folder(t)
  const file = join(home, 'file')
  writeFileSync(file, 'precious')
  fails(t, 'ERR_VHOST_PATH_NOT_SOCKET', () => listen(file, nobody))
  t.is(readFileSync(file, 'utf8'), 'precious')

  const directory = join(home, 'directory')
  mkdirSync(directory)
  fails(t, 'ERR_VHOST_PATH_NOT_SOCKET', () => listen(directory, nobody))

  const link = join(home, 'link')
  symlinkSync(file, link)
  fails(t, 'ERR_VHOST_PATH_NOT_SOCKET', () => listen(link, nobody))
  t.true(existsSync(link))
})

test.serial('A24: paths that no socket can have', t => {
  const home = folder(t)
  const long = (bytes: number) => join(home, 'x'.repeat(bytes - home.length - 1))
  for (const path of [long(108), '', 'a\0b', `${home}/${'é'.repeat(60)}`])
    fails(t, 'ERR_VHOST_PATH_INVALID', () => listen(path, nobody))
  const listener = listen(long(107), nobody)
  new Peer(long(107)).close()
  listener.close()
  fails(t, 'ERR_VHOST_PATH_INVALID', () => connect(long(108)))
  t.true(native().socketListen(long(108), 1) < 0, 'native code checks again')
  t.true(native().socketConnect('') < 0)
})

test.serial('a folder that is not there', t => {
  const path = join(folder(t), 'missing', 'a.sock')
  t.is(fails(t, 'ERR_VHOST_LISTEN_FAILED', () => listen(path, nobody)).reason, 'ENOENT')
})

test.serial('close() leaves a file alone that another process put at the path', t => {
  const path = join(folder(t), 'a.sock')
  const first = listen(path, nobody)
  spawnSync('rm', [path])
  const second = listen(path, nobody)
  first.close()
  t.true(existsSync(path))
  new Peer(path).close()
  second.close()
})

test.serial('connect() says why it can not', t => {
  const home = folder(t)
  t.is(fails(t, 'ERR_VHOST_CONNECT_FAILED', () => connect(join(home, 'none'))).reason, 'ENOENT')
  const stale = join(home, 'stale')
  staleSocket(stale)
  t.is(fails(t, 'ERR_VHOST_CONNECT_FAILED', () => connect(stale)).reason, 'ECONNREFUSED')
})

test.serial('adopt() takes an inherited socket, and no other fd', async t => {
  fails(t, 'ERR_VHOST_CONNECT_FAILED', () => adopt(123456))
  const connectUrl = new URL('../../src/transport/connect.js', import.meta.url).href
  const script = `
    import { adopt } from ${JSON.stringify(connectUrl)}
    import { refLoop, unrefLoop } from ${JSON.stringify(new URL('../../src/addon/wakeup.js', import.meta.url).href)}
    refLoop()
    const connection = adopt(3)
    connection.start({ message: m => connection.send(m.payload), close: unrefLoop })`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
  })
  const socket = child.stdio[3] as Duplex
  socket.write(whole(1, [7, 8, 9]))
  const [echo] = await once(socket, 'data')
  t.deepEqual([...echo], [7, 8, 9])
  socket.destroy()
  t.deepEqual(await once(child, 'exit'), [0, null])
})

test.serial('A21: connections beyond what the backlog holds are served as they come', async t => {
  const s = scene(t)
  const peers = Array.from({ length: 100 }, () => new Peer(s.path))
  await until(() => s.connections.length === 100)
  for (const peer of peers) peer.close()
  await until(() => s.closes.length === 100)
  t.true(s.closes.every(code => code === 'hang_up'))
})

test.serial('a front end that comes back at once: its hang-up is told before its new connection', async t => {
  const order: string[] = []
  const path = join(folder(t), 'a.sock')
  const listener = listen(path, {
    onConnection(connection) {
      order.push('connection')
      connection.start({ message: () => {}, close: code => order.push(code) })
    },
  })
  t.teardown(() => listener.close())
  const first = new Peer(path)
  await until(() => order.length === 1)
  first.close()
  const second = new Peer(path)
  await until(() => order.length === 3)
  t.deepEqual(order, ['connection', 'hang_up', 'connection'])
  second.close()
  await until(() => order.length === 4)
})

const leave = (path: string, how: string) => `
  import { listen } from ${JSON.stringify(new URL('../../src/transport/listener.js', import.meta.url).href)}
  import { refLoop } from ${JSON.stringify(new URL('../../src/addon/wakeup.js', import.meta.url).href)}
  refLoop()
  listen(${JSON.stringify(path)}, { onConnection() {} })
  ${how}
`
const run = (script: string) =>
  spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })

for (const [name, how, status] of [
  ['process.exit', 'process.exit(3)', 3],
  ['an uncaught exception', 'throw new Error("end")', 1],
] as const)
  test.serial(`no socket file is left by ${name}`, t => {
    const path = join(folder(t), 'a.sock')
    const child = run(leave(path, how))
    t.is(child.status, status, child.stderr)
    t.false(existsSync(path))
  })

test.serial('nor by a worker that is terminated in the midst of its traffic', async t => {
  const path = join(folder(t), 'a.sock')
  const script = leave(
    path,
    `const { parentPort } = await import('node:worker_threads'); parentPort.postMessage('listening')`,
  )
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`))
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  const peers = Array.from({ length: 20 }, () => new Peer(path))
  for (const peer of peers) peer.send([1])
  t.is(await worker.terminate(), 1)
  t.false(existsSync(path))
  for (const peer of peers) peer.close()
})

test.serial('a process that holds nothing ends by itself, listening or not', t => {
  const path = join(folder(t), 'a.sock')
  const child = run(leave(path, '').replace('refLoop()\n', ''))
  t.is(child.status, 0, child.stderr)
  t.false(existsSync(path))
})
