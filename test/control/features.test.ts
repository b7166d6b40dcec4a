// Features and status: what is offered, what may be acked and when. Ids are those of the quirks (Q) and of the catalogue
// of hostile inputs.
import test from 'ava'
import { encodeU64 } from '../../src/control/codec.js'
import { virtioMask } from '../../src/control/features.js'
import { net } from '../../src/control/kinds/net.js'
import { FrontEnd, usualFeatures } from './front-end.js'
import { ack, fresh, negotiated, refused, running } from './refused.js'

test('Q10: GET_FEATURES and GET_PROTOCOL_FEATURES answer what is offered and change nothing', t => {
  const f = running()
  const before = f.state
  f.getFeatures()
  t.deepEqual(f.replies, [{ request: 1, flags: 5, payload: encodeU64(net.features) }], 'Q1: flags exactly 5')
  f.getProtocolFeatures()
  t.is(f.answer, net.protocolFeatures)
  t.deepEqual(f.state, before)
})

test('Q8: CONFIG and what is not implemented are not offered', t => {
  t.is(net.protocolFeatures, 0x1801fn)
  t.is(net.features & virtioMask('RING_PACKED', 'IN_ORDER', 'ACCESS_PLATFORM'), 0n)
})

test('Q1: a reply never carries NEED_REPLY, and a request with a reply of its own is not acked twice', t => {
  const f = fresh()
  f.getFeatures(ack)
  t.is(f.replies.length, 1)
  t.is(f.replies[0].flags, 5)
})

test('Q2: NEED_REPLY is honoured although REPLY_ACK was not negotiated', t => {
  const f = fresh()
  f.setFeatures(net.features, ack)
  t.is(f.answer, 0n)
})

test('SET_FEATURES is told once for each mask', t => {
  const f = fresh()
  f.setFeatures(1n)
  t.deepEqual(f.events, [{ type: 'negotiated', features: 1n, protocolFeatures: 0n }])
  f.setFeatures(1n)
  t.deepEqual(f.events, [])
})

refused('B3: features that were not offered', fresh, (f, o) => f.setFeatures(1n << 34n, o), 'feature_invalid')
refused('B3: all features', fresh, (f, o) => f.setFeatures(2n ** 64n - 1n, o), 'feature_invalid')
refused(
  'B4: protocol features that were not offered',
  fresh,
  (f, o) => f.setProtocolFeatures(1n << 9n, o),
  'feature_invalid',
)
refused(
  'B5: a change of features while a ring runs',
  running,
  (f, o) => f.setFeatures(usualFeatures & ~virtioMask('MRG_RXBUF'), o),
  'feature_running',
)

test('Q17: the same features again while rings run', t => {
  const f = running()
  f.setFeatures(usualFeatures, ack)
  t.is(f.answer, 0n)
  t.deepEqual(f.running, [0, 1])
})

test('Q13: without PROTOCOL_FEATURES rings are enabled when they are kicked', t => {
  const f = fresh()
  f.setFeatures(virtioMask('VERSION_1'))
  f.setMemory()
  f.setUpRing(0)
  t.deepEqual(f.running, [0])
})

test('Q13: with PROTOCOL_FEATURES they wait for SET_VRING_ENABLE, and SET_FEATURES does not undo it', t => {
  const f = fresh()
  f.negotiate(0x8n)
  f.setMemory()
  f.setUpRing(0)
  t.deepEqual(f.running, [])
  f.enable(0, 1)
  t.deepEqual(f.running, [0])
  f.setFeatures()
  t.deepEqual(f.running, [0])
})

test('Q22: SET_OWNER twice, or never', t => {
  const f = fresh()
  f.setOwner()
  f.setOwner()
  t.is(f.closedWith, undefined)
})

test('Q19: RESET_OWNER disables the rings and forgets nothing else', t => {
  const f = running()
  const { regions, features } = f.state
  f.resetOwner(ack)
  t.is(f.answer, 0n)
  t.deepEqual(f.eventTypes, ['ring-stopped 0', 'ring-stopped 1', 'stopped'])
  t.deepEqual([f.state.regions, f.state.features], [regions, features])
  f.enable(0, 1)
  f.enable(1, 1)
  t.is(f.eventTypes.at(-1), 'ready')
})

test('Q41: GET_QUEUE_NUM counts pairs', t => {
  const f = fresh()
  f.send(17)
  t.is(f.answer, 1n)
})

refused('B6: status needs STATUS', fresh, (f, o) => f.setStatus(1, o), 'feature_gate')
refused('B6: so does asking for it', fresh, (f, o) => f.getStatus(o), 'feature_gate')
refused('B13: a status of more than a byte', negotiated, (f, o) => f.setStatus(0x100, o), 'msg_value')

test('FEATURES_OK is not stored before features were taken', t => {
  const f = fresh()
  f.setProtocolFeatures(0x10008n)
  f.setStatus(11)
  f.getStatus()
  t.is(f.answer, 3n)
  f.setFeatures()
  f.setStatus(11)
  f.getStatus()
  t.is(f.answer, 11n)
})

test('Q20: status 0 stops the rings and clears no index', t => {
  const f = FrontEnd.running(ask => (ask.kind === 'stop-ring' ? { value: 9 } : undefined))
  f.setProtocolFeatures(0x10008n)
  f.setStatus(15)
  f.setStatus(0)
  t.deepEqual(f.running, [])
  t.deepEqual(
    f.state.rings.map(ring => [ring.base, ring.size, ring.kick]),
    [
      [9, 256, 'fd'],
      [9, 256, 'fd'],
    ],
  )
})
