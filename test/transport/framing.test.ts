// Messages out of a byte stream, over real sockets: however it is cut, whatever comes with it. Ids are those of the
// catalogue of hostile inputs. Tests run one after the other: some count the fds of the process.
import test from 'ava'
import { native } from '../../src/addon/native.js'
import { header, openFds, Peer, scene, turns, until, whole } from './sockets.js'

test.serial('A1: a message in single bytes', async t => {
  const s = scene(t)
  const { peer } = await s.connect()
  for (const byte of whole(2, [1, 2, 3, 4, 5, 6, 7, 8])) {
    peer.send([byte])
    await turns(3)
  }
  await until(() => s.messages.length === 1)
  t.deepEqual(s.messages, [{ request: 2, flags: 1, payload: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), fds: [] }])
  t.deepEqual(s.closes, [])
})

test.serial('A1: every way to cut two messages in two', async t => {
  const s = scene(t)
  const { peer } = await s.connect()
  const both = [...whole(12, [1, 0, 0, 0, 0, 0, 0, 0]), ...whole(3)]
  for (let cut = 1; cut < both.length; cut++) {
    peer.send(both.slice(0, cut))
    await turns(2)
    peer.send(both.slice(cut))
    await until(() => s.messages.length === 2 * cut)
  }
  t.deepEqual(
    s.messages.map(m => [m.request, m.payload.length]),
    Array.from({ length: both.length - 1 }, () => [
      [12, 8],
      [3, 0],
    ]).flat(),
  )
})

test.serial(
  'A1: what one peer has begun, and what it said before, is not what another says meanwhile',
  async t => {
    const s = scene(t)
    const { peer } = await s.connect()
    const { peer: other } = await s.connect()
    const bytes = whole(12, [1, 2, 3, 4, 5, 6, 7, 8])
    const others = whole(13, [9, 9, 9, 9, 9, 9, 9, 9])
    for (let cut = 1; cut < bytes.length; cut++) {
      s.messages.length = 0
      peer.send(bytes.subarray(0, cut))
      await turns(2)
      other.send(others)
      await until(() => s.messages.length === 1)
      peer.send(bytes.subarray(cut))
      await until(() => s.messages.length === 2)
      other.send(others)
      await until(() => s.messages.length === 3)
      t.deepEqual(
        s.messages.map(({ request, payload }) => [request, ...payload]),
        [
          [13, 9, 9, 9, 9, 9, 9, 9, 9],
          [12, 1, 2, 3, 4, 5, 6, 7, 8],
          [13, 9, 9, 9, 9, 9, 9, 9, 9],
        ],
        `cut at ${cut}`,
      )
    }
  },
)

test.serial('many messages in one write come in order, over more than one turn', async t => {
  const s = scene(t)
  const { peer } = await s.connect()
  const count = 100
  peer.send(Array.from({ length: count }, (_, i) => [...whole(i)]).flat())
  await until(() => s.messages.length === count)
  t.deepEqual(
    s.messages.map(m => m.request),
    Array.from({ length: count }, (_, i) => i),
  )
})

test.serial('fds belong to the message whose header they came with', async t => {
  const s = scene(t)
  const { peer } = await s.connect()
  peer.send(whole(3))
  peer.send(whole(5, [1]), [peer.token, peer.token])
  peer.send(whole(3))
  await until(() => s.messages.length === 3)
  t.deepEqual(
    s.messages.map(m => m.fds.length),
    [0, 2, 0],
  )
})

test.serial('A1: a header in pieces keeps the fds of each', async t => {
  const s = scene(t)
  const { peer } = await s.connect()
  const bytes = whole(5)
  peer.send(bytes.subarray(0, 3), [peer.token])
  await turns(3)
  peer.send(bytes.subarray(3), [peer.token])
  await until(() => s.messages.length === 1)
  t.is(s.messages[0].fds.length, 2)
})

test.serial('A11: fds that come with the body are closed and not counted', async t => {
  const s = scene(t)
  const { peer } = await s.connect()
  const before = openFds()
  peer.send(header(12, 1, 8))
  peer.send(new Uint8Array(8), [peer.token])
  await until(() => s.messages.length === 1)
  t.deepEqual(s.messages[0].fds, [])
  t.is(openFds(), before)
})

for (const bytes of [1, 11, 12, 15])
  test.serial(`A2: the peer goes after ${bytes} bytes of a message with an fd`, async t => {
    const s = scene(t)
    const { peer } = await s.connect()
    // Not the peer's own end, which would stay open with us for as long as we have it.
    const { peer: other } = await s.connect()
    const before = openFds()
    peer.send(whole(12, [0, 0, 0, 0, 0, 0, 0, 0]).subarray(0, bytes), [other.token])
    peer.close()
    await until(() => s.closes.length > 0)
    t.deepEqual(s.closes, ['msg_eof'])
    t.is(openFds(), before - 2, 'both ends, and nothing else')
  })

test.serial('the peer goes between messages', async t => {
  const s = scene(t)
  const { peer } = await s.connect()
  peer.send(whole(3))
  peer.close()
  await until(() => s.closes.length > 0)
  t.deepEqual([s.messages.length, s.closes], [1, ['hang_up']])
})

test.serial('A3: a message has five seconds from its first byte, however it trickles', async t => {
  const s = scene(t)
  const { peer } = await s.connect()
  const sibling = await s.connect()
  for (let i = 0; i < 4; i++) {
    peer.send([1])
    await until(() => s.timers.waiting === 1)
    await turns(3)
    s.timers.pass(1240)
    sibling.peer.send(whole(3))
    await until(() => s.messages.length === i + 1)
  }
  t.deepEqual(s.closes, [])
  s.timers.pass(40)
  t.deepEqual(s.closes, ['msg_timeout'])
  t.false(sibling.connection.closed)
})

test.serial('A3: an idle connection has no deadline, and a whole message ends its own', async t => {
  const s = scene(t)
  const { peer } = await s.connect()
  peer.send(header(12, 1, 8))
  await until(() => s.timers.waiting === 1)
  peer.send(new Uint8Array(8))
  await until(() => s.messages.length === 1)
  await turns()
  t.is(s.timers.waiting, 0)
  s.timers.pass(60_000)
  t.deepEqual(s.closes, [])
})

for (const size of [4097, 0xffffffff])
  test.serial(`A5: a body of ${size} bytes is never allocated`, async t => {
    const s = scene(t)
    const { peer } = await s.connect()
    peer.send(header(5, 1, size))
    await until(() => s.closes.length > 0)
    t.deepEqual(s.closes, ['msg_too_big'])
  })

test.serial('A5: a body of 4096 bytes is read', async t => {
  const s = scene(t)
  const { peer } = await s.connect()
  peer.send(whole(5, new Uint8Array(4096)))
  await until(() => s.messages.length === 1)
  t.is(s.messages[0].payload.length, 4096)
})

const flagCases = [
  ['version 0', 0, 'msg_version'],
  ['version 2', 2, 'msg_version'],
  ['version 3', 3, 'msg_version'],
  ['a reply', 5, 'msg_flags'],
  ['a reserved flag', 0x11, 'msg_flags'],
  ['the highest flag', 0x80000001, 'msg_flags'],
] as const
for (const [what, flags, code] of flagCases)
  test.serial(`A8: ${what}`, async t => {
    const s = scene(t)
    const { peer } = await s.connect()
    peer.send(header(1, flags, 0))
    await until(() => s.closes.length > 0)
    t.deepEqual([s.messages, s.closes], [[], [code]])
  })

test.serial('A23: other protocols end with their first header', async t => {
  const s = scene(t)
  for (const text of [
    'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03random',
  ]) {
    const { peer, connection } = await s.connect()
    peer.send(Buffer.from(text, 'latin1'))
    await until(() => connection.closed)
  }
  t.is(s.messages.length, 0)
  const { peer } = await s.connect()
  peer.send(whole(1))
  await until(() => s.messages.length === 1)
})

for (const count of [9, 100, 253])
  test.serial(`A9: ${count} fds are all closed`, async t => {
    const s = scene(t)
    const { peer } = await s.connect()
    const before = openFds()
    peer.send(
      whole(5),
      Array.from({ length: count }, () => peer.token),
    )
    await until(() => s.closes.length > 0)
    t.deepEqual(s.closes, ['msg_fds'])
    t.is(openFds(), before - 1)
  })

test.serial('A9: eight fds are handed on', async t => {
  const s = scene(t)
  const { peer } = await s.connect()
  peer.send(
    whole(5),
    Array.from({ length: 8 }, () => peer.token),
  )
  await until(() => s.messages.length === 1)
  t.is(new Set(s.messages[0].fds).size, 8)
})

test.serial('A14: the kind of an fd that was received', async t => {
  const s = scene(t)
  const { peer } = await s.connect()
  peer.send(whole(12), [peer.token])
  await until(() => s.messages.length === 1)
  t.is(native().fdKind(s.messages[0].fds[0]), 0, 'a socket is no eventfd')
  t.is(native().fdKind(0), 0)
  t.is(native().fdKind(0xdeadbeef), 0)
})

test.serial('a token names nothing once its fd was closed, also when another takes its place', async t => {
  const s = scene(t)
  const before = native().fdCount()
  const first = new Peer(s.path)
  first.close()
  const second = new Peer(s.path)
  t.not(first.token, second.token)
  native().closeFd(first.token)
  t.is(second.send([0]), 1, 'still open')
  second.close()
  await turns()
  for (const connection of s.connections) connection.close()
  t.is(native().fdCount(), before)
})
