// Every message of roles, features, rings and status, each in six ways: good; of a wrong size; with a wrong number of fds;
// in a wrong state; out of range; and with native code failing. All but the first leave the state exactly as it was.
// (Memory, migration, MTU, RARP, configuration and reset have files of their own.)
import test from 'ava'
import { encodeU64, encodeVringState } from '../../src/control/codec.js'
import { virtioMask } from '../../src/control/features.js'
import { net } from '../../src/control/kinds/net.js'
import { requests } from '../../src/control/requests.js'
import type { FrontEnd } from './front-end.js'
import { type Act, ack, fresh, negotiated, refused, running } from './refused.js'

/** Nobody begins with a migration. */
const plain = net.features & ~virtioMask('LOG_ALL')
const state = (index: number, value: number) => encodeVringState({ index, value })

interface Case {
  name: string
  good: { from(): FrontEnd; act(f: FrontEnd): void; reads(f: FrontEnd): unknown; gives: unknown }
  /** Why it can't be now. */
  wrongState?: { from(): FrontEnd; act: Act; reason: string }
  outOfRange?: { act: Act; reason: string; from?(): FrontEnd }
  /** Is native code asked for anything that can fail? */
  fails?: { from(): FrontEnd; act: Act }
}

const withStatus = (): FrontEnd => {
  const f = fresh()
  f.setProtocolFeatures(net.protocolFeatures)
  f.setFeatures()
  return f
}
const fdOf =
  (id: number, value: bigint): Act =>
  (f, o) =>
    f.send(id, encodeU64(value), { fds: f.fds(1), ...o })
const ofRing =
  (id: number, index: number, value = 0): Act =>
  (f, o) =>
    f.send(id, state(index, value), o)

/** One whose native code refuses everything that is asked from now on. */
function failing(from: () => FrontEnd): () => FrontEnd {
  return () => {
    const f = from()
    f.native = ask =>
      ask.kind === 'stop-ring' || ask.kind === 'start-ring' ? undefined : { value: -1, reason: 'fd_type' }
    return f
  }
}

const notifier = (id: number, name: string): Case => ({
  name,
  good: {
    from: negotiated,
    act: f => f.send(id, encodeU64(1n), { fds: f.fds(1), ...ack }),
    reads: f => f.asks.filter(ask => ask.kind === 'ring-fd').length,
    gives: 1,
  },
  outOfRange: { act: fdOf(id, 2n), reason: 'vq_index' },
  wrongState: { from: negotiated, act: (f, o) => f.send(id, encodeU64(1n), o), reason: 'msg_fds' },
  fails: { from: negotiated, act: fdOf(id, 1n) },
})

const cases: Case[] = [
  {
    name: 'GET_FEATURES',
    good: { from: fresh, act: f => f.getFeatures(), reads: f => f.answer, gives: net.features },
  },
  {
    name: 'SET_FEATURES',
    good: { from: fresh, act: f => f.setFeatures(plain), reads: f => f.state.features, gives: plain },
    wrongState: { from: running, act: (f, o) => f.setFeatures(1n, o), reason: 'feature_running' },
    outOfRange: { act: (f, o) => f.setFeatures(1n << 63n, o), reason: 'feature_invalid' },
  },
  {
    name: 'SET_OWNER',
    good: { from: fresh, act: f => f.send(3, undefined, ack), reads: f => f.answer, gives: 0n },
  },
  {
    name: 'RESET_OWNER',
    good: { from: running, act: f => f.resetOwner(ack), reads: f => [f.answer, ...f.running], gives: [0n] },
  },
  {
    name: 'SET_VRING_NUM',
    good: { from: negotiated, act: f => f.num(1, 1024), reads: f => f.state.rings[1].size, gives: 1024 },
    wrongState: { from: running, act: (f, o) => f.num(1, 128, o), reason: 'vq_running' },
    outOfRange: { act: (f, o) => f.num(1, 65536, o), reason: 'vq_size' },
  },
  {
    name: 'SET_VRING_ADDR',
    good: {
      from: negotiated,
      act: f => f.addr(1),
      reads: f => f.state.rings[1].addresses === null,
      gives: false,
    },
    outOfRange: { act: (f, o) => f.addr(1, { flags: 4 }, o), reason: 'msg_value' },
  },
  {
    name: 'SET_VRING_BASE',
    good: { from: negotiated, act: f => f.base(1, 77), reads: f => f.state.rings[1].base, gives: 77 },
    wrongState: { from: running, act: (f, o) => f.base(1, 7, o), reason: 'vq_running' },
    outOfRange: { act: (f, o) => f.base(2, 7, o), reason: 'vq_index' },
  },
  {
    name: 'GET_VRING_BASE',
    good: { from: running, act: f => f.getBase(1), reads: f => f.running, gives: [0] },
    outOfRange: { act: ofRing(11, 2), reason: 'vq_index' },
  },
  notifier(12, 'SET_VRING_KICK'),
  notifier(13, 'SET_VRING_CALL'),
  notifier(14, 'SET_VRING_ERR'),
  {
    name: 'GET_PROTOCOL_FEATURES',
    good: {
      from: fresh,
      act: f => f.getProtocolFeatures(),
      reads: f => f.answer,
      gives: net.protocolFeatures,
    },
  },
  {
    name: 'SET_PROTOCOL_FEATURES',
    good: {
      from: fresh,
      act: f => f.setProtocolFeatures(8n),
      reads: f => f.state.protocolFeatures,
      gives: 8n,
    },
    outOfRange: { act: (f, o) => f.setProtocolFeatures(1n << 50n, o), reason: 'feature_invalid' },
  },
  { name: 'GET_QUEUE_NUM', good: { from: fresh, act: f => f.send(17), reads: f => f.answer, gives: 1n } },
  {
    name: 'SET_VRING_ENABLE',
    good: { from: running, act: f => f.enable(1, 0), reads: f => f.running, gives: [0] },
    outOfRange: { act: ofRing(18, 0, 2), reason: 'msg_value' },
    wrongState: { from: negotiated, act: ofRing(18, 2, 1), reason: 'vq_index' },
  },
  {
    name: 'SET_STATUS',
    good: { from: withStatus, act: f => f.setStatus(15), reads: f => f.state.status, gives: 15 },
    wrongState: { from: fresh, act: (f, o) => f.setStatus(15, o), reason: 'feature_gate' },
    outOfRange: { from: withStatus, act: (f, o) => f.setStatus(256, o), reason: 'msg_value' },
  },
  {
    name: 'GET_STATUS',
    good: { from: withStatus, act: f => f.getStatus(), reads: f => f.answer, gives: 0n },
    wrongState: { from: fresh, act: (f, o) => f.getStatus(o), reason: 'feature_gate' },
  },
]

for (const { name, good, wrongState, outOfRange, fails } of cases) {
  const { id, size, fds } = requests.find(request => request.name === name)!

  test(`${name}: good`, t => {
    const f = good.from()
    good.act(f)
    t.deepEqual(good.reads(f), good.gives)
    t.is(f.closedWith, undefined)
    t.false(f.eventTypes.includes('refused'))
  })

  const wrongSize = (f: FrontEnd, o: object) =>
    f.send(id, new Uint8Array(size[1] + 4), { fds: f.fds(fds[0]), ...o })
  refused(`${name}: of a wrong size`, running, wrongSize, 'msg_size')
  const wrongFds = (f: FrontEnd, o: object) =>
    f.send(id, new Uint8Array(size[0]), { fds: f.fds(fds[1] + 1), ...o })
  refused(`${name}: with a wrong number of fds`, running, wrongFds, 'msg_fds')
  if (wrongState) refused(`${name}: in a wrong state`, wrongState.from, wrongState.act, wrongState.reason)
  if (outOfRange)
    refused(`${name}: out of range`, outOfRange.from ?? negotiated, outOfRange.act, outOfRange.reason)
  if (fails) refused(`${name}: native code fails`, failing(fails.from), fails.act, 'fd_type')
}

test('each request of this part of the protocol is among them', t => {
  const here = [1, 2, 3, 4, ...[8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18], 39, 40]
  t.deepEqual(
    cases.map(({ name }) => requests.find(request => request.name === name)?.id),
    here,
  )
})
