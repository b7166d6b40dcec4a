// What native code can fail to do, for each message that asks something of it: the message is refused and the state is as
// it was. A ring that can't start is another matter (the catalogue's B8 and D4): what was set up is kept, so that the next
// message can mend it, the ring is told as a fault, and the message is refused if an answer is wanted.
import test from 'ava'
import { protocolMask } from '../../src/control/features.js'
import { net } from '../../src/control/kinds/net.js'
import type { Ask, State } from '../../src/control/types.js'
import { FrontEnd, otherRegion, region } from './front-end.js'
import { type Act, ack, refused } from './refused.js'

const ALL = protocolMask('REPLY_ACK', 'LOG_SHMFD', 'CONFIGURE_MEM_SLOTS', 'MTU')
const LOG = (region.guest + region.size) / 32768n + 8n
const inLog = (ring: number): bigint => region.guest + BigInt(ring) * 0x1_0000n + 0x6000n

function working(): FrontEnd {
  const reset = protocolMask('RESET_DEVICE')
  const f = FrontEnd.running(undefined, ALL | protocolMask('BACKEND_REQ') | reset, {
    config: new Uint8Array(12),
    protocolFeatures: net.protocolFeatures | reset,
  })
  f.setLogBase(LOG)
  return f
}

/** From here on, native code fails whatever is asked of that kind. */
const failing =
  (kind: Ask['kind'], act: Act): Act =>
  (f, options) => {
    f.native = ask => (ask.kind === kind ? { value: -23, reason: 'device_gone' } : undefined)
    act(f, options)
  }

const messages: Record<string, [Ask['kind'], Act]> = {
  SET_FEATURES: ['log-buffers', (f, o) => f.setFeatures(net.features, o)],
  SET_MEM_TABLE: ['map', (f, o) => f.setMemory([region, otherRegion], o)],
  'SET_MEM_TABLE without the rings': ['map', (f, o) => f.setMemory([otherRegion], o)],
  SET_LOG_BASE: ['set-log', (f, o) => f.setLogBase(LOG + 8n, 0n, o)],
  SET_LOG_FD: ['log-call', (f, o) => f.send(7, undefined, { fds: f.fds(1), ...o })],
  SET_VRING_ADDR: ['log-ring', (f, o) => f.addr(0, { flags: 1, log: inLog(0) }, o)],
  GET_VRING_BASE: ['ring-fd', (f, o) => f.getBase(0, o)],
  SET_VRING_KICK: ['ring-fd', (f, o) => f.kick(0, o)],
  SET_VRING_CALL: ['ring-fd', (f, o) => f.call(0, o)],
  SET_VRING_ERR: ['ring-fd', (f, o) => f.err(0, o)],
  NET_SET_MTU: ['mtu', (f, o) => f.setMtu(1500n, o)],
  SET_BACKEND_REQ_FD: ['channel', (f, o) => f.send(21, undefined, { fds: f.fds(1), ...o })],
  RESET_DEVICE: ['ring-fd', (f, o) => f.send(34, undefined, o)],
  ADD_MEM_REG: ['add-region', (f, o) => f.addRegion(otherRegion, o)],
  REM_MEM_REG: ['remove-region', (f, o) => f.removeRegion(region, o)],
}
for (const [name, [kind, act]] of Object.entries(messages))
  refused(`${name}: native code fails to ${kind}`, working, failing(kind, act), 'device_gone')

// Rings that can't start

const ringOf = ({ rings }: State) => rings[0]

/** All but one message of what it takes to start ring 0. */
function allBut(missing: string): FrontEnd {
  const f = new FrontEnd()
  f.negotiate(ALL | protocolMask('STATUS'))
  f.setMemory()
  f.num(0, 256)
  f.base(0, 7)
  if (missing !== 'SET_VRING_ADDR') f.addr(0)
  if (missing !== 'SET_VRING_KICK') f.kick(0)
  if (missing !== 'SET_VRING_ENABLE') f.enable(0, 1)
  if (missing !== 'SET_STATUS') f.setStatus(15)
  return f
}
const last: Record<string, Act> = {
  SET_VRING_ADDR: (f, o) => f.addr(0, {}, o),
  SET_VRING_KICK: (f, o) => f.kick(0, o),
  SET_VRING_ENABLE: (f, o) => f.enable(0, 1, o),
  SET_STATUS: (f, o) => f.setStatus(15, o),
}

for (const [name, act] of Object.entries(last))
  test(`B8, D4: ${name} would start a ring that can't start: kept, told, and refused if an answer is wanted`, t => {
    const good = allBut(name)
    act(good, ack)
    t.deepEqual(good.running, [0])
    for (const options of [ack, {}]) {
      const f = allBut(name)
      failing('start-ring', act)(f, options)
      t.is(f.answer, options === ack ? 1n : undefined)
      t.is(f.closedWith, undefined, 'the connection stays')
      t.deepEqual(
        f.events.filter(event => event.type === 'fault').map(({ reason }) => reason),
        ['device_gone'],
      )
      t.deepEqual(
        ringOf(f.state),
        { ...ringOf(good.state), running: false, latched: 'device_gone' },
        'what was set up is kept',
      )
      // A set-up that native code takes mends it.
      f.native = () => undefined
      f.addr(0, {}, ack)
      t.is(f.answer, 0n)
      t.deepEqual(f.running, [0])
    }
  })
