// The MTU, announcements, the configuration space, the channel back, and the device's reset. Ids are those of the quirks
// (Q) and of the catalogue of hostile inputs.
import test from 'ava'
import { encodeU64 } from '../../src/control/codec.js'
import { protocolMask, virtioMask } from '../../src/control/features.js'
import type { SessionOptions } from '../../src/control/initial-state.js'
import { FrontEnd, type Native, otherRegion, region } from './front-end.js'
import { ack, fresh, refused } from './refused.js'

const offers = protocolMask(
  ...(['REPLY_ACK', 'RARP', 'MTU', 'BACKEND_REQ', 'CONFIG', 'RESET_DEVICE', 'STATUS'] as const),
)
const config = Uint8Array.from({ length: 12 }, (_, n) => n)
function negotiated(native?: Native, options: SessionOptions = {}): FrontEnd {
  const f = new FrontEnd(native, { protocolFeatures: offers, config, ...options })
  f.negotiate(offers)
  return f
}
const ready = () => negotiated()

// MTU

test('NET_SET_MTU is told once for each value', t => {
  const f = negotiated()
  f.setMtu(1500n, ack)
  t.is(f.answer, 0n)
  t.deepEqual(f.asks, [{ kind: 'mtu', mtu: 1500 }])
  t.deepEqual(f.events, [{ type: 'mtu', mtu: 1500 }])
  f.setMtu(1500n, ack)
  t.deepEqual(f.events, [])
  for (const mtu of [68n, 65535n]) {
    f.setMtu(mtu, ack)
    t.is(f.answer, 0n)
  }
})
for (const mtu of [0n, 67n, 65536n, 1n << 32n, 2n ** 64n - 1n])
  refused(`Q46: an MTU of ${mtu}`, ready, (f, o) => f.setMtu(mtu, o), 'mtu_range')
refused(
  'Q46: an MTU beyond what the program allows',
  () => negotiated(undefined, { maxMtu: 1500 }),
  (f, o) => f.setMtu(1501n, o),
  'mtu_range',
)
refused('NET_SET_MTU needs MTU', fresh, (f, o) => f.setMtu(1500n, o), 'feature_gate')
refused(
  'an MTU that native code refuses',
  () => negotiated(ask => (ask.kind === 'mtu' ? { value: -23, reason: 'device_gone' } : undefined)),
  (f, o) => f.setMtu(1500n, o),
  'device_gone',
)

// RARP

const mac = (...bytes: number[]) => Uint8Array.of(...bytes, 0, 0)
test('Q45: SEND_RARP is told with the address', t => {
  const f = negotiated()
  f.send(19, mac(0x52, 0x54, 0, 0x0a, 0xff, 1), ack)
  t.is(f.answer, 0n)
  t.deepEqual(f.events, [{ type: 'rarp', mac: '52:54:00:0a:ff:01' }])
})
for (const [name, payload] of [
  ['a group', mac(0x53, 0x54, 0, 0, 0, 1)],
  ['everybody', mac(255, 255, 255, 255, 255, 255)],
  ['nobody', mac(0, 0, 0, 0, 0, 0)],
] as const)
  test(`E19: SEND_RARP for ${name} is taken and ignored`, t => {
    const f = negotiated()
    f.send(19, payload, ack)
    t.is(f.answer, 0n)
    t.deepEqual(f.events, [])
  })
refused('SEND_RARP needs RARP', fresh, (f, o) => f.send(19, new Uint8Array(8), o), 'feature_gate')

// Configuration space

const part = (offset: number, size: number, bytes = new Uint8Array(size)): Uint8Array => {
  const payload = new Uint8Array(12 + bytes.length)
  payload.set(new Uint8Array(Uint32Array.of(offset, size, 0).buffer))
  payload.set(bytes, 12)
  return payload
}

test('Q8: CONFIG and BACKEND_REQ are offered with a configuration space only', t => {
  const both = protocolMask('CONFIG', 'BACKEND_REQ')
  t.is(fresh().state.offered.protocolFeatures & both, 0n)
  t.is(new FrontEnd(undefined, { config }).state.offered.protocolFeatures & both, both)
})

test('Q5: GET_CONFIG gives what was asked for, or no payload at all', t => {
  const f = negotiated()
  f.send(24, part(2, 4), ack)
  t.deepEqual(
    f.replies.map(reply => [...reply.payload]),
    [[...part(2, 4, Uint8Array.of(2, 3, 4, 5))]],
    'and no second answer',
  )
  for (const bad of [
    part(9, 4),
    part(0, 0),
    part(0, 13),
    part(0xffffffff, 4),
    part(0, 4, new Uint8Array(3)),
  ]) {
    f.send(24, bad)
    t.deepEqual(
      f.replies.map(reply => reply.payload.length),
      [0],
    )
    t.is(f.closedWith, undefined)
  }
})

test('SET_CONFIG changes what is read, and is told', t => {
  const f = negotiated()
  f.send(25, part(1, 2, Uint8Array.of(9, 8)), ack)
  t.is(f.answer, 0n)
  t.deepEqual(f.events, [{ type: 'config', offset: 1, bytes: Uint8Array.of(9, 8) }])
  f.send(24, part(0, 4))
  t.deepEqual([...f.replies[0].payload.subarray(12)], [0, 9, 8, 3])
  t.deepEqual([...config.subarray(0, 4)], [0, 1, 2, 3], "the program's own array is left alone")
})
refused('SET_CONFIG beyond its end', ready, (f, o) => f.send(25, part(9, 4), o), 'msg_value')
refused('SET_CONFIG needs CONFIG', fresh, (f, o) => f.send(25, part(0, 4), o), 'feature_gate')
refused('GET_CONFIG needs CONFIG', fresh, (f, o) => f.send(24, part(0, 4), o), 'feature_gate')

// The channel back

test('Q11: the program changes the configuration space, and the front end is told without being waited for', t => {
  const f = negotiated()
  f.send(21, undefined, { ...ack, fds: f.fds(1) })
  t.is(f.answer, 0n)
  t.like(f.asks, [{ kind: 'channel' }])
  f.input({ kind: 'config', bytes: Uint8Array.of(7, 7) })
  t.deepEqual(f.effects, [{ kind: 'tell-front-end', request: 2 }])
  t.is(f.state.pending, null)
  f.send(24, part(0, 2))
  t.deepEqual([...f.replies[0].payload.subarray(12)], [7, 7])
})
test('a configuration space that nobody can be told of', t => {
  const f = new FrontEnd()
  f.negotiate()
  f.input({ kind: 'config', bytes: Uint8Array.of(7, 7) })
  t.deepEqual(f.effects, [])
})
test('E17: a channel that is lost is told, and costs the device nothing else', t => {
  const f = negotiated()
  f.send(21, undefined, { fds: f.fds(1) })
  f.input({ kind: 'channel-lost', reason: 'channel_reply_backlog' })
  t.like(f.events, [{ type: 'fault', code: 'ERR_VHOST_PROTOCOL', reason: 'channel_reply_backlog' }])
  t.is(f.closedWith, undefined)
})
refused(
  'E17: a channel that is no socket',
  () => negotiated(ask => (ask.kind === 'channel' ? { value: -1, reason: 'fd_type' } : undefined)),
  (f, o) => f.send(21, undefined, { fds: f.fds(1), ...o }),
  'fd_type',
)
refused(
  'SET_BACKEND_REQ_FD needs BACKEND_REQ',
  fresh,
  (f, o) => f.send(21, undefined, { fds: f.fds(1), ...o }),
  'feature_gate',
)

// Reset

test('Q21: RESET_DEVICE forgets the device, and keeps connection, memory and protocol features', t => {
  const f = FrontEnd.running(undefined, offers & ~protocolMask('STATUS'), {
    protocolFeatures: offers,
    config,
  })
  f.send(34, undefined, ack)
  t.is(f.answer, 0n)
  t.deepEqual(f.eventTypes, ['ring-stopped 0', 'ring-stopped 1', 'stopped'])
  t.deepEqual(
    f.asks.filter(ask => ask.kind === 'ring-fd').map(ask => [ask.ring, ask.which, ask.fd]),
    [
      [0, 0, 0],
      [0, 1, 0],
      [1, 0, 0],
      [1, 1, 0],
    ],
  )
  t.deepEqual(f.state.regions, [region])
  t.like(f.state, { features: 0n, negotiated: false, status: 0 })
  t.like(f.state.rings[0], { size: 0, base: 0, addresses: null, kick: 'unset', enabled: false })
  f.setFeatures()
  for (const ring of [0, 1]) {
    f.setUpRing(ring)
    f.enable(ring, 1)
  }
  t.is(f.eventTypes.at(-1), 'ready')
})
test('RESET_DEVICE ends a migration', t => {
  const f = negotiated()
  f.setFeatures(f.state.features | virtioMask('LOG_ALL'))
  f.send(34, undefined, ack)
  t.deepEqual(f.asks, [{ kind: 'log-buffers', on: false }])
})
refused('RESET_DEVICE needs RESET_DEVICE', fresh, (f, o) => f.send(34, undefined, o), 'feature_gate')

test('a message that waits for native code lets no change of the program in between', t => {
  const f = negotiated(ask => (ask.kind === 'map' ? { value: -6, reason: 'mem_map' } : undefined))
  f.setMemory([otherRegion], ack)
  t.is(f.answer, 1n)
  f.input({ kind: 'config', bytes: encodeU64(1n) })
  t.is(f.state.config?.length, 8)
})
