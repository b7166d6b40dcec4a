// Memory region by region: GET_MAX_MEM_SLOTS, ADD_MEM_REG, REM_MEM_REG. Ids are those of the quirks (Q) and of the
// catalogue of hostile inputs.
import test from 'ava'
import { protocolMask } from '../../src/control/features.js'
import { FrontEnd, type Native, otherRegion, region, regionPayload } from './front-end.js'
import { ack, fresh, refused } from './refused.js'

const SLOTS = protocolMask('REPLY_ACK', 'CONFIGURE_MEM_SLOTS')
const withSlots = (native?: Native): FrontEnd => FrontEnd.running(native, SLOTS)
/** As `withSlots`, but memory comes by ADD_MEM_REG only. */
function addedOnly(): FrontEnd {
  const f = new FrontEnd()
  f.negotiate(SLOTS)
  return f
}

test('Q28: GET_MAX_MEM_SLOTS is always the same number', t => {
  const f = withSlots()
  f.send(36)
  t.is(f.answer, 509n)
  f.addRegion(otherRegion)
  f.send(36)
  t.is(f.answer, 509n)
})

refused(
  'GET_MAX_MEM_SLOTS needs CONFIGURE_MEM_SLOTS',
  fresh,
  (f, o) => f.send(36, undefined, o),
  'feature_gate',
)
refused('so does ADD_MEM_REG', fresh, (f, o) => f.addRegion(region, o), 'feature_gate')
refused('and REM_MEM_REG', fresh, (f, o) => f.removeRegion(region, o), 'feature_gate')

test('a device whose memory comes by ADD_MEM_REG alone', t => {
  const f = addedOnly()
  f.addRegion(region, ack)
  t.is(f.answer, 0n)
  t.like(f.asks, [{ kind: 'add-region', region: [region.guest, region.size, region.user, region.offset] }])
  t.deepEqual(f.events, [{ type: 'memory', regions: [region] }])
  for (const ring of [0, 1]) {
    f.setUpRing(ring)
    f.enable(ring, 1)
  }
  t.deepEqual(f.running, [0, 1])
})

test('hot-plug: rings run on while a region is added and removed', t => {
  const f = withSlots()
  f.addRegion(otherRegion, ack)
  t.is(f.answer, 0n)
  t.deepEqual(f.events, [{ type: 'memory', regions: [region, otherRegion] }])
  f.removeRegion(otherRegion, ack)
  t.is(f.answer, 0n)
  t.deepEqual(
    f.asks.map(ask => ask.kind),
    ['remove-region'],
  )
  t.deepEqual(f.events, [{ type: 'memory', regions: [region] }])
  t.deepEqual(f.running, [0, 1])
})

test('Q28: QEMU before 8.0 adds and removes once per queue pair', t => {
  const f = withSlots()
  f.addRegion(otherRegion, ack)
  f.addRegion(otherRegion, ack)
  t.is(f.answer, 0n)
  t.deepEqual([f.asks, f.events], [[], []])
  f.removeRegion(otherRegion, { ...ack, fds: f.fds(1) })
  f.removeRegion(otherRegion, { ...ack, fds: f.fds(1) })
  t.is(f.answer, 0n)
  t.deepEqual([f.asks, f.events], [[], []])
  t.deepEqual(f.disposed.length, f.given.length, 'REM_MEM_REG may bring an fd, which is closed')
})

test('C14: rings stop before their region goes, and run again when it comes back', t => {
  const f = withSlots()
  f.addRegion(otherRegion)
  f.removeRegion(region, ack)
  t.deepEqual(
    f.asks.map(ask => ask.kind),
    ['stop-ring', 'stop-ring', 'remove-region'],
  )
  t.is(f.answer, 0n)
  t.deepEqual(f.running, [])
  f.addRegion(region, ack)
  t.is(f.answer, 0n)
  t.deepEqual(f.running, [0, 1])
})

const top = 2n ** 64n
const bad = {
  'C2: an empty region': [{ ...otherRegion, size: 0n }, 'mem_range'],
  'C3: guest addresses that wrap': [{ ...otherRegion, guest: top - 0x1000n }, 'mem_range'],
  'C3: user addresses that wrap': [{ ...otherRegion, user: top - 0x1000n }, 'mem_range'],
  'C3: a file offset that wraps': [{ ...otherRegion, offset: top - 0x1000n }, 'mem_range'],
  'C13: overlaps for the guest': [{ ...otherRegion, guest: region.guest + 0x1000n }, 'mem_overlap'],
  'C13: overlaps for the front end': [{ ...otherRegion, user: region.user + 0x1000n }, 'mem_overlap'],
} as const
for (const [name, [of, reason]] of Object.entries(bad))
  refused(
    `ADD_MEM_REG, ${name}`,
    () => withSlots(),
    (f, o) => f.addRegion(of, o),
    reason,
  )

for (const [name, change] of Object.entries({
  'a part of it': { size: region.size / 2n },
  'another user address': { user: region.user + 0x1000n },
}))
  refused(
    `C13: REM_MEM_REG of a region that matches but for ${name}`,
    () => withSlots(),
    (f, o) => f.removeRegion({ ...region, ...change }, o),
    'mem_overlap',
  )

refused(
  'C13: a region more than there are slots',
  () => {
    const f = addedOnly()
    for (let n = 0n; n < 509n; n++)
      f.addRegion({ ...region, size: 0x1000n, guest: n * 0x2000n, user: region.user + n * 0x2000n })
    return f
  },
  (f, o) => f.addRegion({ ...otherRegion, guest: 1n << 40n }, o),
  'mem_count',
)

for (const [name, kind, act] of [
  ['mapped', 'add-region', (f: FrontEnd, o: object) => f.addRegion(otherRegion, o)],
  ['removed', 'remove-region', (f: FrontEnd, o: object) => f.removeRegion(region, o)],
] as const)
  refused(
    `C15: a region that can't be ${name} leaves all as it was, and rings run again`,
    () => withSlots(ask => (ask.kind === kind ? { value: -6, reason: 'mem_map' } : undefined)),
    act,
    'mem_map',
  )

test('a ring that only native code finds lost with its region', t => {
  const f = withSlots(ask => (ask.kind === 'remove-region' ? { value: 0, lost: [1] } : undefined))
  f.addRegion(otherRegion)
  f.removeRegion(otherRegion, ack)
  t.deepEqual(f.eventTypes, ['memory', 'ring-stopped 1', 'fault 1'])
})

test('a whole table takes the place of single regions', t => {
  const f = addedOnly()
  f.addRegion(otherRegion)
  f.setMemory([region], ack)
  t.is(f.answer, 0n)
  t.deepEqual(f.state.regions, [region])
})

test('memory that was taken away, and is added anew', t => {
  const f = withSlots()
  f.input({ kind: 'memory-fault' })
  f.removeRegion(region, ack)
  f.addRegion(region, ack)
  t.like(f.asks[0], { kind: 'add-region' })
  t.deepEqual(f.running, [0, 1])
})

test('Q29: no memory deadline once a region was added', t => {
  const f = addedOnly()
  f.enable(0, 1)
  f.addRegion(region)
  t.true(f.effects.some(e => e.kind === 'deadline' && e.ms === 0))
  t.is(regionPayload(region).length, 40)
})
