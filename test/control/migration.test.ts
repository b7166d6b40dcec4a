// Live migration: the dirty log, what is marked in it, and when that begins and ends. Ids are those of the quirks (Q) and
// of the catalogue of hostile inputs.
import test from 'ava'
import { encodeU64 } from '../../src/control/codec.js'
import { protocolMask } from '../../src/control/features.js'
import { net } from '../../src/control/kinds/net.js'
import { FrontEnd, type Native, otherRegion, region, usualFeatures, words } from './front-end.js'
import { ack, fresh, refused } from './refused.js'

const LOGS = protocolMask('REPLY_ACK', 'LOG_SHMFD', 'CONFIGURE_MEM_SLOTS')
/** Bytes of a log for all of `region`: QEMU rounds up. */
const LOG = (region.guest + region.size) / 32768n + 8n
const F_LOG = 1
const running = (native?: Native): FrontEnd => FrontEnd.running(native, LOGS)
/** Where ring n is in the guest's memory: any address that the log covers. */
const at = (ring: number) => region.guest + BigInt(ring) * 0x1_0000n + 0x6000n

/** What QEMU sends when a migration begins. */
function begin(f: FrontEnd): void {
  f.setLogBase(LOG)
  f.setFeatures(net.features, ack)
  for (const ring of [0, 1]) f.addr(ring, { flags: F_LOG, log: at(ring) }, ack)
}
function end(f: FrontEnd): void {
  f.setFeatures(usualFeatures, ack)
  for (const ring of [0, 1]) f.addr(ring, {}, ack)
}
const migrations = (f: FrontEnd) => f.events.filter(event => event.type === 'migration')

test('Q4: SET_LOG_BASE is answered, whether or not an answer was asked for, and once', t => {
  for (const options of [{}, ack]) {
    const f = running()
    f.setLogBase(LOG, 0x1000n, options)
    t.like(f.asks, [{ kind: 'set-log', size: LOG, offset: 0x1000n }])
    t.deepEqual(f.replies, [{ request: 6, flags: 5, payload: encodeU64(0n) }])
  }
})

test('Q17, Q44: LOG_ALL and the flags of the rings come and go while rings run, and nothing stops', t => {
  const f = running()
  f.setLogBase(LOG)
  t.deepEqual(migrations(f), [])
  f.setFeatures(net.features, ack)
  t.is(f.answer, 0n)
  t.deepEqual(f.asks, [{ kind: 'log-buffers', on: true }])
  t.deepEqual(migrations(f), [{ type: 'migration', active: true }])
  f.addr(0, { flags: F_LOG, log: at(0) }, ack)
  t.is(f.answer, 0n)
  t.deepEqual(f.asks, [{ kind: 'log-ring', ring: 0, on: true, address: at(0) }])
  f.addr(1, { flags: F_LOG, log: at(1) }, ack)
  // Before QEMU 8.0 once per queue pair.
  f.setLogBase(LOG)
  t.deepEqual([f.replies.length, migrations(f)], [1, []])
  t.deepEqual(f.running, [0, 1])

  f.setFeatures(usualFeatures, ack)
  t.deepEqual(f.asks, [{ kind: 'log-buffers', on: false }])
  t.deepEqual(migrations(f), [{ type: 'migration', active: false }])
  f.addr(0, {}, ack)
  t.deepEqual(f.asks, [{ kind: 'log-ring', ring: 0, on: false, address: 0n }])
  t.deepEqual(f.running, [0, 1])
})

test('the source of a migration that succeeds: it is over when the device stops', t => {
  const f = running()
  begin(f)
  f.getBase(0)
  t.deepEqual(f.eventTypes, ['ring-stopped 0', 'migration', 'stopped'])
  t.deepEqual(migrations(f), [{ type: 'migration', active: false }])
  f.getBase(1)
  f.input({ kind: 'hang-up', reason: 'hang_up' })
  t.deepEqual(migrations(f), [])
})

test('a migration that is called off and begun again', t => {
  const f = running()
  for (let n = 0; n < 3; n++) {
    f.setLogBase(LOG)
    f.setFeatures(net.features)
    t.deepEqual(migrations(f), [{ type: 'migration', active: true }])
    end(f)
    t.deepEqual(f.running, [0, 1])
  }
})

test('a connection that ends while it migrates', t => {
  const f = running()
  begin(f)
  f.input({ kind: 'hang-up', reason: 'hang_up' })
  t.deepEqual(f.eventTypes, ['ring-stopped 0', 'ring-stopped 1', 'migration', 'stopped'])
})

test('a guest that starts its device while the migration runs: rings start with their log', t => {
  const f = new FrontEnd()
  f.negotiate(LOGS)
  f.setMemory()
  begin(f)
  t.deepEqual(migrations(f), [])
  for (const ring of [0, 1]) {
    f.num(ring, 256)
    f.base(ring, 0)
    f.addr(ring, { flags: F_LOG, log: at(ring) })
    f.kick(ring)
    f.enable(ring, 1)
    t.like(f.asks.at(-1), { kind: 'start-ring', ring, flags: F_LOG })
  }
  t.deepEqual(migrations(f), [{ type: 'migration', active: true }])
})

test('addresses that do change stop the ring, as before', t => {
  const f = running()
  f.addr(0, { used: region.user + 0x8000n }, ack)
  t.deepEqual(
    f.asks.map(ask => ask.kind),
    ['stop-ring', 'start-ring'],
  )
})

refused('E1: SET_LOG_BASE without LOG_SHMFD', fresh, (f, o) => f.setLogBase(LOG, 0n, o), 'feature_gate')
refused('E1: SET_LOG_BASE without an fd', running, (f, o) => f.send(6, words(LOG, 0n), o), 'msg_fds')
for (const [name, size, offset] of [
  ['size 0', 0n, 0n],
  ['a wrap', LOG, 2n ** 64n - LOG + 1n],
  ['smaller than the memory', (region.guest + region.size) / 32768n - 1n, 0n],
] as const)
  refused(`E2: ${name}`, running, (f, o) => f.setLogBase(size, offset, o), 'log_range')

for (const reason of ['log_range', 'fd_type', 'mem_map'])
  refused(
    `E2: a log that native code refuses (${reason}) leaves the former one`,
    () => {
      let logs = 0
      const f = running(ask => (ask.kind === 'set-log' && logs++ > 0 ? { value: -3, reason } : undefined))
      begin(f)
      return f
    },
    (f, o) => f.setLogBase(LOG, 0n, o),
    reason,
  )

refused(
  'LOG_ALL that native code refuses',
  () => running(ask => (ask.kind === 'log-buffers' ? { value: -23, reason: 'device_gone' } : undefined)),
  (f, o) => f.setFeatures(net.features, o),
  'device_gone',
)

refused(
  'E4: a used ring that the log does not reach',
  () => {
    const f = running()
    f.setLogBase(LOG)
    return f
  },
  // Its last byte, the second of the event index, has no bit.
  (f, o) => f.addr(0, { flags: F_LOG, log: LOG * 32768n - (6n + 8n * 256n) + 1n }, o),
  'log_range',
)
refused(
  'E4: a used ring that native code refuses to log',
  () => running(ask => (ask.kind === 'log-ring' ? { value: -24, reason: 'log_range' } : undefined)),
  (f, o) => f.addr(0, { flags: F_LOG, log: at(0) }, o),
  'log_range',
)
test('E4: a used ring up to the last byte of the log', t => {
  const f = running()
  f.setLogBase(LOG)
  f.addr(0, { flags: F_LOG, log: LOG * 32768n - (6n + 8n * 256n) }, ack)
  t.is(f.answer, 0n)
})

test('E3: memory that is plugged in while it migrates may be beyond the log: told when it is written', t => {
  const f = running()
  begin(f)
  f.addRegion({ ...otherRegion, guest: 1n << 40n }, ack)
  t.is(f.answer, 0n)
  f.input({ kind: 'ring-fault', ring: 0, reason: 'log_overflow' })
  t.like(f.events[0], { type: 'fault', code: 'ERR_VHOST_RING', ring: 0, reason: 'log_overflow' })
  t.deepEqual(f.running, [1])
})

test('E6: a truncated log is told as memory that was taken away, and another log mends it', t => {
  const f = running()
  begin(f)
  f.input({ kind: 'ring-fault', ring: 1, reason: 'memory_revoked' })
  t.deepEqual(f.running, [])
  f.setLogBase(LOG)
  t.deepEqual(f.running, [0, 1])
})

test('SET_LOG_FD', t => {
  const f = running()
  f.send(7, new Uint8Array(), { ...ack, fds: f.fds(1) })
  t.is(f.answer, 0n)
  t.like(f.asks, [{ kind: 'log-call' }])
})
refused(
  'E9: SET_LOG_FD with what is no eventfd',
  () => running(ask => (ask.kind === 'log-call' ? { value: -1, reason: 'fd_type' } : undefined)),
  (f, o) => f.send(7, words(), { fds: f.fds(1), ...o }),
  'fd_type',
)
