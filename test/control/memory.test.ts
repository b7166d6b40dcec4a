// The memory table, and front ends that share none. Ids are those of the catalogue of hostile inputs.
import test from 'ava'
import { virtioMask } from '../../src/control/features.js'
import { FrontEnd, otherRegion, region } from './front-end.js'
import { ack, fresh, negotiated, refused, running } from './refused.js'

test('SET_MEM_TABLE maps, and tells it', t => {
  const f = fresh()
  f.setMemory([region, otherRegion], ack)
  t.is(f.answer, 0n)
  t.like(f.asks, [
    { kind: 'map', regions: [region, otherRegion].flatMap(r => [r.guest, r.size, r.user, r.offset]) },
  ])
  t.deepEqual(f.events, [{ type: 'memory', regions: [region, otherRegion] }])
})

test('memory in files on a disk is a warning, once a connection', t => {
  const f = new FrontEnd(({ kind }) => (kind === 'map' ? { value: 1 } : undefined))
  f.setMemory([region])
  t.like(f.events, [{ type: 'memory' }, { type: 'warning', code: 'WARN_VHOST_MEMORY_ON_DISK' }])
  f.setMemory([otherRegion])
  t.deepEqual(f.events, [{ type: 'memory', regions: [otherRegion] }])
})

const table = (count: number, size = 8 + 32 * count): Uint8Array => {
  const bytes = new Uint8Array(size)
  new DataView(bytes.buffer).setUint32(0, count, true)
  return bytes
}
for (const [count, fds, size] of [
  [0, 0, 8],
  [9, 8, 264],
  [0xffffffff, 1, 40],
  [2, 1, 72],
  [1, 2, 40],
  [1, 0, 40],
] as const)
  refused(
    `C1: ${count} regions with ${fds} fds`,
    fresh,
    (f, o) => f.send(5, table(count, size), { fds: f.fds(fds), ...o }),
    'mem_count',
  )
refused(
  'A4: a table shorter than its count',
  fresh,
  (f, o) => f.send(5, table(2, 40), { fds: f.fds(2), ...o }),
  'msg_size',
)

const top = 2n ** 64n
const tables = {
  'C2: an empty region': [{ ...region, size: 0n }],
  'C3: guest addresses that wrap': [{ ...region, guest: top - 0x1000n }],
  'C3: user addresses that wrap': [{ ...region, user: top - 0x1000n }],
  'C3: a file offset that wraps': [{ ...region, offset: top - 0x1000n }],
}
for (const [name, regions] of Object.entries(tables))
  refused(name, fresh, (f, o) => f.setMemory(regions, o), 'mem_range')

const doubles = {
  'C4: regions that overlap for the guest': { ...otherRegion, guest: region.guest + region.size - 1n },
  'C4: regions that overlap for the front end': { ...otherRegion, user: region.user - otherRegion.size + 1n },
  'C4: a region twice': region,
}
for (const [name, second] of Object.entries(doubles))
  refused(name, fresh, (f, o) => f.setMemory([region, second], o), 'mem_overlap')

test('C3: a region may end at the last address', t => {
  const f = fresh()
  f.setMemory([{ ...region, guest: top - region.size }], ack)
  t.is(f.answer, 0n)
})

refused(
  'C15: a table that can not be mapped leaves the old one, and rings run again',
  () =>
    FrontEnd.running(ask =>
      ask.kind === 'map' && ask.regions[0] === otherRegion.guest
        ? { value: -6, reason: 'mem_map' }
        : undefined,
    ),
  (f, o) => f.setMemory([otherRegion], o),
  'mem_map',
)

test('C19: a table without the memory of a running ring stops it before the mapping goes', t => {
  const f = running()
  f.setMemory([otherRegion], ack)
  t.deepEqual(
    f.asks.map(ask => ask.kind),
    ['stop-ring', 'stop-ring', 'map'],
  )
  t.is(f.answer, 0n, 'the table itself is in effect')
  t.like(
    f.events.filter(e => e.type === 'fault'),
    [{ code: 'ERR_VHOST_RING', ring: 0, reason: 'vq_addr' }, { ring: 1 }],
  )
  f.setMemory([region], ack)
  t.deepEqual(f.running, [0, 1], 'and they run again when it is back')
})

test('a ring that only native code finds lost', t => {
  const f = FrontEnd.running(ask => (ask.kind === 'map' ? { value: 0, lost: [1] } : undefined))
  f.setMemory([region, otherRegion], ack)
  t.deepEqual(f.eventTypes, ['memory', 'ring-stopped 1', 'fault 1'])
  t.deepEqual(f.running, [0])
})

test('memory that was taken away: all stops, bases are still told, the same table is mapped anew', t => {
  const f = running()
  f.input({ kind: 'memory-fault' })
  t.deepEqual(f.eventTypes, ['fault', 'ring-stopped 0', 'ring-stopped 1'])
  t.like(f.events[0], { code: 'ERR_VHOST_MEMORY_REVOKED' })
  f.input({ kind: 'memory-fault' })
  t.deepEqual(f.events, [], 'told once')
  f.getBase(0)
  t.is(f.replies.length, 1)
  f.setMemory([region], ack)
  t.like(f.asks[0], { kind: 'map' })
})

const notShared = (f: FrontEnd) =>
  f.events.filter(e => e.type === 'fault' && e.code === 'ERR_VHOST_MEMORY_NOT_SHARED')

test('Q29: QEMU without share=on enables its rings, takes features and falls silent', t => {
  const f = fresh()
  f.enable(0, 1)
  f.setFeatures()
  t.deepEqual(f.effects.at(-1), { kind: 'deadline', ms: 2000 })
  f.input({ kind: 'deadline' })
  t.like(notShared(f), [
    { fix: 'start QEMU with -object memory-backend-memfd,id=m,size=…,share=on -numa node,memdev=m' },
  ])
  f.input({ kind: 'deadline' })
  t.deepEqual(f.events, [])
})

test('Q29: a deadline that passes after the memory came', t => {
  const f = fresh()
  f.enable(0, 1)
  f.setFeatures()
  f.setMemory()
  t.true(f.effects.some(e => e.kind === 'deadline' && e.ms === 0))
  f.input({ kind: 'deadline' })
  t.deepEqual(f.effects, [])
})

test('Q29: virtio-user may take its time between features and memory', t => {
  const f = negotiated()
  t.false(f.effects.some(e => e.kind === 'deadline'))
})

test('Q29: DRIVER_OK, a kick, a table without fds, or a ring of zeros', t => {
  const driver = negotiated()
  driver.setStatus(15)
  t.is(notShared(driver).length, 1)

  const kick = fresh()
  kick.setFeatures(virtioMask('VERSION_1'))
  kick.setUpRing(0)
  kick.addr(0)
  t.is(notShared(kick).length, 0, 'told once')
  t.true(kick.state.notSharedTold)

  const noFds = fresh()
  noFds.send(5, table(1), ack)
  t.is(notShared(noFds).length, 1)

  const zeros = running()
  zeros.input({ kind: 'ring-fault', ring: 1, reason: 'mem_not_shared' })
  t.like(notShared(zeros), [{ ring: 1 }])
  t.deepEqual(zeros.running, [0, 1], 'a diagnosis stops nothing')
  zeros.input({ kind: 'ring-fault', ring: 0, reason: 'mem_not_shared' })
  t.deepEqual(zeros.events, [])
})
