// Requests about a ring, and what its state makes of them. Ids are those of the quirks (Q) and of the catalogue of
// hostile inputs.
import test from 'ava'
import { encodeU64, encodeVringState } from '../../src/control/codec.js'
import { FrontEnd, otherRegion, region } from './front-end.js'
import { ack, fresh, negotiated, refused, running } from './refused.js'

const top = 2n ** 64n

for (const size of [0, 1, 3, 32769, 65536, 65537, 2 ** 31, 2 ** 32 - 1])
  refused(`D1: a ring of ${size}`, negotiated, (f, o) => f.num(0, size, o), 'vq_size')
for (const index of [2, 255, 256, 0x10000, 0x10001, 2 ** 32 - 1]) {
  const state = encodeVringState({ index, value: 1 })
  for (const request of [8, 10, 11, 18])
    refused(
      `D2: request ${request} for ring ${index}`,
      negotiated,
      (f, o) => f.send(request, state, o),
      'vq_index',
    )
  const addr = new Uint8Array(40)
  addr.set(state.subarray(0, 4))
  refused(`D2: SET_VRING_ADDR for ring ${index}`, negotiated, (f, o) => f.send(9, addr, o), 'vq_index')
}
for (const value of [2n, 255n, 0x200n, 0x10001n, 2n ** 32n, 2n ** 63n])
  for (const request of [12, 13, 14])
    refused(
      `D2: request ${request} with an fd for ${value}`,
      negotiated,
      (f, o) => f.send(request, encodeU64(value), { fds: f.fds(1), ...o }),
      'vq_index',
    )

refused('D6: NUM of a running ring', running, (f, o) => f.num(1, 512, o), 'vq_running')
refused('D6: BASE of a running ring', running, (f, o) => f.base(0, 5, o), 'vq_running')
for (const part of ['descriptors', 'available', 'used'] as const)
  refused(
    `D7: ${part} not aligned`,
    negotiated,
    (f, o) => f.addr(0, { [part]: region.user + 1n }, o),
    'vq_align',
  )
refused('D12: address flags other than LOG', negotiated, (f, o) => f.addr(0, { flags: 2 }, o), 'msg_value')
refused('B15: ENABLE with 2', negotiated, (f, o) => f.enable(0, 2, o), 'msg_value')
for (const [request, name] of [
  [12, 'kick'],
  [13, 'call'],
  [14, 'err'],
] as const) {
  refused(
    `A11: ${name} without the fd it announces`,
    running,
    (f, o) => f.send(request, encodeU64(0n), o),
    'msg_fds',
  )
  refused(
    `${name} with an fd and "no fd"`,
    running,
    (f, o) => f.send(request, encodeU64(0x100n), { fds: f.fds(1), ...o }),
    'msg_fds',
  )
  refused(
    `D13: ${name} of the wrong kind`,
    () =>
      FrontEnd.running(ask =>
        ask.kind === 'ring-fd' && ask.fd > 1e6 ? { value: -1, reason: 'fd_type' } : undefined,
      ),
    (f, o) => {
      const fd = 1e6 + f.fds(1)[0]
      f.given[f.given.length - 1] = fd
      f.send(request, encodeU64(0n), { fds: [fd], ...o })
    },
    'fd_type',
  )
}

test('D10: 16 bits of a base are kept', t => {
  const f = fresh()
  f.base(0, 0xffffffff)
  t.is(f.state.rings[0].base, 0xffff)
})

test('Q32, Q15, Q26: a ring starts with its last missing part, whichever that is, and without a kick fd too', t => {
  const parts: ((f: FrontEnd) => void)[] = [
    f => f.negotiate(0x8n),
    f => f.setMemory(),
    f => f.num(0, 64),
    f => f.addr(0),
    f => f.kickWithoutFd(0),
    f => f.enable(0, 1),
  ]
  for (let first = 0; first < parts.length; first++) {
    const f = fresh()
    const order = [...parts.slice(first), ...parts.slice(0, first)]
    order.forEach((part, i) => {
      t.deepEqual(f.running, [], `too early in order ${first}, before ${i}`)
      part(f)
    })
    t.deepEqual(f.running, [0], `order ${first}`)
  }
})

const outside = {
  'before the region': { descriptors: region.user - 16n },
  'over its end': { used: region.user + region.size - 4n - 8n * 256n },
  'in no region': { available: 0n },
  'at the top': { descriptors: top - 16n },
  'used over descriptors': { used: region.user + 16n },
}
for (const [name, change] of Object.entries(outside))
  test(`D4, D8: a ring ${name} does not start, is told once, and starts with better addresses`, t => {
    const f = fresh()
    f.negotiate(0x8n)
    f.setMemory()
    f.enable(0, 1)
    f.num(0, 256)
    f.addr(0, change)
    t.is(f.closedWith, undefined)
    f.kick(0, ack)
    t.is(f.answer, 1n)
    t.deepEqual(
      f.asks.map(ask => ask.kind),
      ['ring-fd'],
    )
    t.like(f.events, [{ type: 'fault', code: 'ERR_VHOST_RING', ring: 0, reason: 'vq_addr' }])
    f.enable(0, 1)
    t.deepEqual(f.events, [])
    f.addr(0)
    t.deepEqual(f.running, [0])
  })

test('D4: crossing into the next region is refused even if that follows at once', t => {
  const f = fresh()
  f.negotiate(0x8n)
  f.setMemory([region, { ...otherRegion, user: region.user + region.size }])
  f.enable(0, 1)
  f.num(0, 256)
  f.addr(0, { descriptors: region.user + region.size - 16n })
  f.kick(0)
  t.deepEqual(f.running, [])
})

test('D5: a larger size is checked against the same addresses', t => {
  const f = running()
  f.getBase(0)
  f.num(0, 32768)
  f.kick(0)
  t.deepEqual(f.running, [1])
})

test('a ring that native code will not start is told, and the front end keeps its connection', t => {
  const f = fresh()
  f.native = ask => (ask.kind === 'start-ring' ? { value: -11, reason: 'vq_addr' } : undefined)
  f.negotiate(0x8n)
  f.setMemory()
  f.setUpRing(0)
  f.enable(0, 1)
  t.like(f.events, [{ type: 'fault', ring: 0, reason: 'vq_addr' }])
  t.is(f.closedWith, undefined)
  t.deepEqual(f.running, [])
})

test('D6: ADDR of a running ring stops it, and starts it where it was', t => {
  const f = FrontEnd.running(ask => (ask.kind === 'stop-ring' ? { value: 77 } : undefined))
  f.addr(1, { flags: 1, log: 0x5000n, used: region.user + 0x1_8000n }, ack)
  t.is(f.answer, 0n)
  t.like(f.asks, [
    { kind: 'stop-ring', ring: 1 },
    { kind: 'start-ring', ring: 1, base: 77, flags: 1 },
  ])
  t.deepEqual(f.eventTypes, ['ring-stopped 1', 'ring-started 1'])
})

test('Q31, B11: GET_VRING_BASE stops the ring, drops its notifiers, and only a kick starts it again', t => {
  const f = FrontEnd.running(ask => (ask.kind === 'stop-ring' ? { value: 0xfffe } : undefined))
  f.getBase(0)
  t.deepEqual(f.replies, [{ request: 11, flags: 5, payload: encodeVringState({ index: 0, value: 0xfffe }) }])
  t.like(f.asks, [
    { kind: 'stop-ring', ring: 0 },
    { kind: 'ring-fd', which: 0, fd: 0 },
    { kind: 'ring-fd', which: 1, fd: 0 },
  ])
  f.getBase(0)
  t.deepEqual(f.replies[0].payload, encodeVringState({ index: 0, value: 0xfffe }))
  t.deepEqual(f.asks, [])
  f.enable(0, 1)
  f.call(0)
  f.addr(0)
  t.deepEqual(f.running, [1])
  f.kick(0)
  t.deepEqual(f.running, [0, 1])
  t.deepEqual(f.eventTypes, ['ring-started 0', 'ready'])
})

test('B11: GET_VRING_BASE of a ring that never started', t => {
  const f = fresh()
  f.base(1, 17)
  f.getBase(1)
  t.deepEqual(f.replies[0].payload, encodeVringState({ index: 1, value: 17 }))
  t.deepEqual(f.asks, [])
})

test('Q42: ENABLE 0 quiesces the ring and forgets nothing', t => {
  const f = FrontEnd.running(ask => (ask.kind === 'stop-ring' ? { value: 30 } : undefined))
  f.enable(1, 0)
  t.deepEqual(f.events, [{ type: 'ring-stopped', ring: 1, reason: 'disabled' }])
  f.enable(1, 1)
  t.like(f.asks, [{ kind: 'start-ring', base: 30 }])
})

test('Q33, B12: a new call or kick of a running ring is handed on, and the ring goes on', t => {
  const f = running()
  f.call(0)
  t.like(f.asks, [{ kind: 'ring-fd', ring: 0, which: 1 }])
  f.kick(0)
  t.like(f.asks, [{ kind: 'ring-fd', ring: 0, which: 0 }])
  t.deepEqual(f.running, [0, 1])
})

test('a fault of the guest stops its ring for good, until it is set up anew', t => {
  const f = FrontEnd.running(ask => (ask.kind === 'stop-ring' ? { value: 5 } : undefined))
  f.input({ kind: 'ring-fault', ring: 1, reason: 'chain_loop' })
  t.deepEqual(f.eventTypes, ['fault 1', 'ring-stopped 1'])
  t.like(f.events, [{ reason: 'chain_loop' }, { reason: 'chain_loop' }])
  f.input({ kind: 'ring-fault', ring: 1, reason: 'chain_loop' })
  t.deepEqual(f.effects, [], 'one event a fault')
  f.enable(1, 1)
  t.deepEqual(f.running, [0])
  f.getBase(1)
  t.deepEqual(f.replies[0].payload, encodeVringState({ index: 1, value: 5 }))
  f.setUpRing(1)
  t.deepEqual(f.running, [0, 1])
})

test('D15: a write to a notification that blocked closes the device, since each such write stops all devices', t => {
  const f = running()
  f.input({ kind: 'ring-fault', ring: 1, reason: 'call_stuck' })
  t.deepEqual(f.eventTypes, ['fault 1', 'ring-stopped 0', 'ring-stopped 1', 'stopped'])
  t.like(f.effects.at(-1), { kind: 'close', code: 'call_stuck' })
})
