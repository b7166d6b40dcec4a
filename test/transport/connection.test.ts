// A connection's other half: replies, pauses, closing, and fairness. Ids are those of the catalogue of hostile inputs.
import test from 'ava'
import { native } from '../../src/addon/native.js'
import { connect } from '../../src/transport/connect.js'
import { openFds, scene, turns, until, whole } from './sockets.js'

for (const chunk of [20, 32 * 1024])
  test.serial(
    `replies of ${chunk} bytes arrive whole, in order, also those that had to wait for the peer`,
    async t => {
      const s = scene(t)
      const { peer, connection } = await s.connect()
      // More than the socket's buffer: the rest waits.
      let sent = 0
      while (s.timers.waiting === 0) {
        connection.send(new Uint8Array(chunk).fill(sent % 251))
        sent++
      }
      let received = 0
      while (received < sent * chunk) {
        const bytes = peer.receive(65536)
        if (bytes === undefined) break
        for (const [i, byte] of bytes.entries()) {
          if (byte !== Math.floor((received + i) / chunk) % 251) t.fail(`byte ${received + i}`)
        }
        received += bytes.length
        await turns(2)
      }
      t.is(received, sent * chunk)
      t.deepEqual(s.closes, [])
      t.is(s.timers.waiting, 0)
    },
  )

test.serial('A18: a peer that asks for ever and reads nothing', async t => {
  const s = scene(t, (_, connection) => connection.send(new Uint8Array(20)))
  const { peer } = await s.connect()
  while (s.closes.length === 0) {
    peer.send(whole(1))
    await turns(1)
    if (s.messages.length > 1e5) t.fail('its replies pile up')
  }
  t.deepEqual(s.closes, ['reply_backlog'])
})

test.serial('A18: a peer that stops reading has five seconds', async t => {
  const s = scene(t)
  const { connection } = await s.connect()
  while (s.timers.waiting === 0) connection.send(new Uint8Array(4096))
  s.timers.pass(4999)
  t.deepEqual(s.closes, [])
  s.timers.pass(1)
  t.deepEqual(s.closes, ['reply_backlog'])
})

test.serial('A19: a reply to a peer that has gone is a hang-up, and no signal', async t => {
  const s = scene(t)
  const { peer, connection } = await s.connect()
  peer.close()
  connection.send(new Uint8Array(8))
  t.false(connection.closed, 'not from within send')
  await until(() => s.closes.length > 0)
  t.deepEqual(s.closes, ['hang_up'])
})

test.serial('no message is handed on between pause and resume', async t => {
  const s = scene(t, (_, connection) => connection.pause())
  const { peer, connection } = await s.connect()
  peer.send([...whole(1), ...whole(2), ...whole(3)])
  await until(() => s.messages.length === 1)
  await turns()
  t.is(s.messages.length, 1)
  connection.resume()
  await until(() => s.messages.length === 2)
  connection.resume()
  await until(() => s.messages.length === 3)
})

test.serial('replies are written while messages are paused', async t => {
  const s = scene(t)
  const { peer, connection } = await s.connect()
  connection.pause()
  let sent = 0
  while (s.timers.waiting === 0) {
    connection.send(new Uint8Array(4096))
    sent += 4096
  }
  let received = 0
  while (received < sent) {
    received += peer.receive()?.length ?? t.fail('closed') ?? 0
    await turns(1)
  }
  t.is(received, sent)
})

test.serial('a paused connection is not blamed for the bytes it does not read', async t => {
  const s = scene(t)
  const { peer, connection } = await s.connect()
  peer.send(whole(1).subarray(0, 5))
  await until(() => s.timers.waiting === 1)
  connection.pause()
  s.timers.pass(60_000)
  connection.resume()
  t.is(s.timers.waiting, 1)
  peer.send(whole(1).subarray(5))
  await until(() => s.messages.length === 1)
})

test.serial(
  'close() in a message handler ends the messages, without a close of its own being told',
  async t => {
    const s = scene(t, (_, connection) => connection.close())
    const { peer } = await s.connect()
    peer.send([...whole(1), ...whole(2)])
    await until(() => peer.receive() === undefined)
    t.is(s.messages.length, 1)
    t.deepEqual(s.closes, [])
  },
)

test.serial('A20: a flood of messages leaves room for the others', async t => {
  const s = scene(t)
  const flood = await s.connect()
  const calm = await s.connect()
  const burst = Array.from({ length: 300 }, () => [...whole(1)]).flat()
  flood.peer.send(burst)
  calm.peer.send(whole(2))
  await until(() => s.messages.some(m => m.request === 2))
  t.true(s.messages.length < 300, 'it did not have to wait for all of them')
  await until(() => s.messages.length === 301)
})

test.serial('A9: fds are flat over many messages that carry them', async t => {
  const s = scene(t, message => {
    for (const fd of message.fds) native().closeFd(fd)
    message.fds.length = 0
  })
  const { peer } = await s.connect()
  const before = openFds()
  for (let i = 0; i < 2000; i++) {
    peer.send(whole(12), [peer.token, peer.token])
    if (i % 50 === 0) await turns(5)
  }
  await until(() => s.messages.length === 2000)
  t.is(openFds(), before)
})

test.serial('peer credentials are those of the process that connected', async t => {
  const s = scene(t)
  const { connection } = await s.connect()
  t.like(connection.peer, { pid: process.pid, uid: process.getuid?.() })
  connection.close()
  t.is(connection.peer, undefined)
})

test.serial('a front end reads replies and refuses requests', async t => {
  const s = scene(t, (_, connection) => connection.send(Uint8Array.of(1, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0)))
  const front = connect(s.path, { fromBackEnd: true, timers: s.timers })
  const got: number[] = []
  let closed = ''
  front.start({ message: m => got.push(m.flags), close: code => (closed = code) })
  front.send(whole(1))
  await until(() => got.length === 1)
  t.deepEqual(got, [5])
  s.connections[0].send(whole(1))
  await until(() => closed !== '')
  t.is(closed, 'msg_flags')
})

test.serial('an exception in a handler reaches uncaughtException, and other sockets are served', async t => {
  const caught: unknown[] = []
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', error => caught.push(error))
  t.teardown(() => {
    process.removeAllListeners('uncaughtException')
    for (const listener of listeners) process.on('uncaughtException', listener)
  })
  const s = scene(t, message => {
    if (message.request === 1) throw new Error('a handler failed')
  })
  const [bad, good] = [await s.connect(), await s.connect()]
  bad.peer.send(whole(1))
  good.peer.send(whole(2))
  await until(() => s.messages.length === 2 && caught.length === 1)
  t.like(caught[0], { message: 'a handler failed' })
  bad.peer.send(whole(3))
  await until(() => s.messages.length === 3)
})

test.serial('a peer that goes ends a connection that is paused', async t => {
  const s = scene(t)
  const { peer, connection } = await s.connect()
  connection.pause()
  peer.send(whole(1))
  await turns()
  t.deepEqual(s.closes, [])
  peer.close()
  await until(() => s.closes.length > 0)
  t.deepEqual(s.closes, ['hang_up'])
  t.deepEqual(s.messages, [], 'what it sent before is nobody’s')
})

test.serial('a paused connection stays watched, so that it needs no room to go on', async t => {
  const s = scene(t)
  const { connection } = await s.connect()
  const addon = native()
  const { unwatch } = addon
  t.teardown(() => Object.assign(addon, { unwatch }))
  addon.unwatch = () => t.fail('no longer watched')
  connection.pause()
  connection.resume()
  addon.unwatch = unwatch
  t.false(connection.closed)
})
