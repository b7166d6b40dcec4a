// marbles(): what is recorded when, what is refused, and that time, rings, leases and devices are virtual.
import test from 'ava'
import { interval, map, merge, of, timer } from 'rxjs'
import { concatMap, delay, filter, mergeMap, share, switchMap, take } from 'rxjs/operators'
import type { VhostDevice } from '../../src/device/net/device.js'
import { enqueue, filterPackets, mirror, release, retain } from '../../src/operators/index.js'
import { type FakeDevice, type MarbleHelpers, marbles, numberOf, udp } from '../../src/testing/index.js'

const marble = (title: string, body: (h: MarbleHelpers) => void): void =>
  test(title, t => {
    marbles(body, { equal: t.deepEqual })
    t.pass()
  })

marble('bursts and packets are recorded when they are emitted', h => {
  const { queue } = h.fakeQueue('      --3---  -(2|)')
  h.expectBursts(queue).toBe('          --a---  -(b|)', { a: [0, 1, 2], b: [3, 4] })
  h.expectPackets(queue.packets).toBe(' --(012)(34|)')
})

marble('a burst of one frame is a digit; letters stand for frames of one’s own', h => {
  const frames = { a: [7, 8], b: udp({ toPort: 53, payload: 'query' }) }
  const { queue } = h.fakeQueue('1-a-b', { frames })
  h.expectBursts(queue.pipe(filterPackets(p => p.uint16(12) !== 0x0800 || p.uint8(23) !== 17))).toBe(
    '                            0-a', // the datagram is left out
    { a: [7, 8] },
  )
  h.expectPackets(queue.packets.pipe(filterPackets(p => p.uint8(23) === 17)), null, {
    as: p => p.uint16(36),
  }).toBe('                           ----p', { p: 53 })
})

marble('subscription diagrams say when the queue is drained', h => {
  const { queue, port } = h.fakeQueue('3')
  h.expectBursts(queue, '                            ---^-!').toBe('---a', { a: [0, 1, 2] })
  h.clock.schedule(() => port.send(), 5)
})

marble('leases and credit are levels at the end of a frame', h => {
  const from = h.fakeQueue('               3-----2', { highWaterMark: 4 })
  const slow = from.queue.pipe(retain(), delay(2), release())
  h.expectBursts(slow).toBe('              --a-----b', { a: [0, 1, 2], b: [3, 4] })
  h.expectLeases(from).toBe('              3-0---2-0')
  h.expectCredit(from).toBe('              1-4---2-4')
  h.expectLeases().toBe('                  3-0---2-0')
})

marble('a slow consumer stops the dequeue: the guest’s packets wait in its ring', h => {
  const from = h.fakeQueue('  6', { highWaterMark: 2, burst: 1 })
  const slow = from.queue.pipe(
    retain(),
    concatMap(held => of(held).pipe(delay(5))),
    release(),
  )
  h.expectBursts(slow).toBe(' 5ms 0 4ms 1 4ms 2 4ms 3 4ms 4 4ms 5')
  // Resumes at half: two are under lease, one goes, the next comes.
  h.expectLeases(from).toBe('2 24ms 1 4ms 0')
})

marble('the room of a ring is a marble: a full ring stalls its source, and nothing is dropped', h => {
  const from = h.fakeQueue('          6', { highWaterMark: 4, burst: 2 })
  const to = h.fakeSink('             1---2---3')
  h.expectBursts(from.queue.pipe(enqueue(to.sink))).toBe('')
  h.expectReceived(to).toBe('         0---a---b', { a: [1, 2], b: [3, 4, 5] })
  h.expectRoom(to).toBe('             0')
})

marble('a borrow from several branches is the same burst', h => {
  const from = h.fakeQueue('   --2')
  const monitor = h.fakeSink(' 9')
  const shared = from.queue.pipe(mirror(monitor.sink), share())
  h.expectBursts(merge(shared, shared)).toBe('--(aa)', { a: [0, 1] })
  h.expectReceived(monitor).toBe('            --a', { a: [0, 1] })
  h.expectLeases().toBe('                     0')
})

marble('rxjs’ own expectations work for what is no lease', h => {
  const from = h.fakeQueue('--3-1')
  h.expectObservable(from.queue.pipe(map(burst => burst.length))).toBe('--a-b', { a: 3, b: 1 })
  h.expectObservable(h.cold(' -a|').pipe(delay(1))).toBe('            --(a|)')
})

marble('a device is an Observable of its events, with queues that stop and start', h => {
  const device = h.fakeDevice({
    traffic: '--1---2',
    room: '   9',
    life: '   r---s---r-|',
  })
  const types = device.pipe(
    map(event => event.type),
    filter(type => !type.startsWith('ring-')),
  )
  h.expectObservable(types).toBe('n---s---r-(sx|)', {
    n: 'snapshot',
    r: 'ready',
    s: 'stopped',
    x: 'closed',
  })
  h.expectBursts(device.fromGuest()).toBe('--0-----a-|', { a: [1, 2] })
})

marble('switchMap from one connection to the next leaves nothing behind', h => {
  const first = h.fakeDevice({ traffic: '-2', life: '    r--|' })
  const second = h.fakeDevice({ traffic: '-----2', life: 'r------' })
  const devices = h.cold('                        a---b', { a: first, b: second })
  const packets = devices.pipe(
    switchMap((device: FakeDevice) => device.fromGuest().packets.pipe(map(numberOf))),
  )
  h.expectObservable(packets, '                   --------!').toBe('-(01)(01)', { 0: 0, 1: 1 })
  h.expectLeases().toBe('0')
})

test('a fake device has the public members of VhostDevice', t => {
  const is = (device: Pick<VhostDevice, keyof VhostDevice>): boolean => device !== undefined
  marbles(h => t.true(is(h.fakeDevice())))
})

test('expectObservable refuses a borrow, and says what to use', t => {
  for (const [pick, hint] of [
    [(h: MarbleHelpers) => h.fakeQueue('1').queue, /expectBursts/],
    [(h: MarbleHelpers) => h.fakeQueue('1').queue.packets, /expectPackets/],
    [(h: MarbleHelpers) => h.fakeQueue('1').queue.pipe(retain()), /expectBursts/],
  ] as const)
    t.throws(() => marbles(h => h.expectObservable(pick(h) as never).toBe('a')), {
      code: 'ERR_VHOST_INVALID_ARGUMENT',
      message: hint,
    })
})

test('a diagram that does not agree throws, from any assertion library', t => {
  t.throws(() => marbles(h => h.expectBursts(h.fakeQueue('2').queue).toBe('a', { a: [0, 2] })), {
    code: 'ERR_ASSERTION',
  })
  const compared: unknown[] = []
  marbles(h => h.expectLeases().toBe('0'), { equal: actual => compared.push(actual) })
  t.is(compared.length, 1)
})

test('leases are strict: a late use throws, also when the slot is used again', t => {
  t.throws(
    () =>
      marbles(h => {
        const { queue } = h.fakeQueue('1-1')
        h.expectObservable(queue.packets.pipe(delay(1), map(numberOf))).toBe('#')
      }),
    { message: /ERR_VHOST_LEASE_ENDED/ },
  )
})

test('an endless timer ends with maxFrames, an endless turn throws', t => {
  let ticks = 0
  marbles(
    h =>
      interval(10).subscribe(() => ticks++) &&
      h.expectObservable(timer(5).pipe(take(1))).toBe('5ms (0|)', { 0: 0 }),
    { maxFrames: 100 },
  )
  t.is(ticks, 10)
  t.throws(
    () =>
      marbles(h => {
        const again = (): void => h.clock.defer(again)
        again()
      }),
    { message: /still busy/ },
  )
})

test('an async body, a marble without a value, more frames than a ring holds: each says what is wrong', t => {
  t.throws(() => marbles((async () => {}) as never), { message: /not async/ })
  t.throws(() => marbles(h => h.expectBursts(h.fakeQueue('1').queue).toBe('x')), {
    message: /'x' has no value/,
  })
  t.throws(() => marbles(h => void h.fakeQueue('z')), { message: /'z' has no frames/ })
  t.throws(() => marbles(h => void h.fakeQueue('9', { size: 4 })), { message: /room for 4/ })
  t.throws(() => marbles(h => void h.fakeQueue('#')), { message: /has no errors/ })
})

test('delegates of rxjs are restored, and the plane is not shared', t => {
  marbles(h => {
    h.expectBursts(
      h.fakeQueue('2').queue.pipe(
        retain(),
        mergeMap(held => of(held)),
      ),
    ).toBe('a', { a: [0, 1] })
    h.expectLeases().toBe('2')
  })
  marbles(h => h.expectLeases().toBe('0'))
  const before = Date.now()
  t.true(before > 1e12)
})
