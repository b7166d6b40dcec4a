// roundRobin and hashTo: who gets what, when a sink is full, or has no ring, or throws.
import test from 'ava'
import fc from 'fast-check'
import type { Observable } from 'rxjs'
import { retry } from 'rxjs/operators'
import { hashTo, roundRobin } from '../../src/operators/index.js'
import type { Burst } from '../../src/packet/burst.js'
import type { Packet } from '../../src/packet/packet.js'
import {
  fakeFromGuest,
  fakePlane,
  fakeToGuest,
  frames,
  marbles,
  numberOf,
  udp,
} from '../../src/testing/index.js'

const forms = ['bursts', 'packets'] as const

/** A guest that sends, and `count` that receive, `room` each. */
function scene(form: (typeof forms)[number], count: number, room = 1024) {
  const plane = fakePlane()
  const from = fakeFromGuest(plane, { burst: 8, size: 1024, highWaterMark: 64 })
  const to = Array.from({ length: count }, () => fakeToGuest(plane, { size: 1024, room }))
  const source: Observable<Burst | Packet> = form === 'bursts' ? from.queue : from.queue.packets
  return {
    plane,
    from,
    to,
    source,
    sinks: to.map(({ sink }) => sink),
    send: (...all: Buffer[]): void => {
      from.port.send(...all)
      plane.loop.drain()
    },
    got: () => to.map(({ port }) => port.received.map(numberOf)),
  }
}
const every = (count: number, step: number, first: number): number[] =>
  Array.from({ length: Math.ceil((count - first) / step) }, (_, i) => first + i * step)

for (const form of forms) {
  test(`roundRobin, ${form}: packets go to the sinks in turn, over the ends of bursts`, t => {
    const { source, sinks, send, got, plane } = scene(form, 3)
    source.pipe(roundRobin(sinks)).subscribe()
    send(...frames(20))
    t.deepEqual(got(), [every(20, 3, 0), every(20, 3, 1), every(20, 3, 2)])
    t.is(plane.pool.leases, 0)
  })

  test(`roundRobin, ${form}: a sink without a ring is passed over, and has its turn again with its ring`, t => {
    const { source, sinks, send, got, to } = scene(form, 3)
    source.pipe(roundRobin(sinks)).subscribe()
    to[1].port.setRunning(false)
    send(...frames(8))
    t.deepEqual(got(), [every(8, 2, 0), [], every(8, 2, 1)])
    to[1].port.setRunning(true)
    send(...frames(3, 8))
    t.deepEqual(
      got().map(numbers => numbers.filter(number => number >= 8)),
      [[8], [9], [10]],
    )
    for (const { target } of to) target.detach()
    send(...frames(3, 11))
    t.deepEqual(
      sinks.map(sink => sink.stats.drops),
      Array(3).fill({ 'no-device': 1 }),
    )
  })

  test(`roundRobin, ${form}: a full sink stalls the source, or drops, as it was asked to`, t => {
    const blocked = scene(form, 2, 16)
    blocked.source.pipe(roundRobin(blocked.sinks)).subscribe()
    blocked.to[1].port.post(1000)
    blocked.send(...frames(400))
    t.true(blocked.from.port.waiting > 0, 'the guest waits')
    t.deepEqual(blocked.sinks[0].stats.drops, {})
    const { source, sinks, send, got, to } = scene(form, 2, 16)
    to[1].port.post(1000)
    source.pipe(roundRobin([{ sink: sinks[0], overflow: 'drop-newest' }, sinks[1]])).subscribe()
    for (let i = 0; i < 10; i++) send(...frames(100, i * 100))
    t.deepEqual(got()[1], every(1000, 2, 1))
    t.deepEqual(sinks[0].stats.drops, { overflow: 500 - 16 - 256 })
  })

  test(`hashTo, ${form}: a flow stays with its sink, in both directions and in order`, t => {
    const { source, sinks, send, to, plane } = scene(form, 4)
    source.pipe(hashTo(sinks, { seed: [1, 2] })).subscribe()
    const there = (port: number, n: number) => udp({ fromPort: port, toPort: 80, payload: Uint8Array.of(n) })
    const back = (port: number, n: number) =>
      udp({ from: '10.0.0.2', to: '10.0.0.1', fromPort: 80, toPort: port, payload: Uint8Array.of(n) })
    for (let n = 0; n < 8; n++)
      send(...Array.from({ length: 40 }, (_, port) => (n % 2 ? back : there)(1000 + port, n)))
    const flows = to.map(({ port }) =>
      port.received.map(f => [Math.max(f.readUInt16BE(34), f.readUInt16BE(36)), f[42]]),
    )
    t.is(flows.flat().length, 320)
    for (let port = 1000; port < 1040; port++) {
      const where = flows.filter(all => all.some(([of]) => of === port))
      t.is(where.length, 1)
      t.deepEqual(
        where[0].filter(([of]) => of === port).map(([, n]) => n),
        [0, 1, 2, 3, 4, 5, 6, 7],
      )
    }
    for (const all of flows) t.true(all.length > 0)
    t.is(plane.pool.leases, 0)
  })

  test(`hashTo, ${form}: only the flows of a sink without a ring move, to all others, and come back`, t => {
    const { source, sinks, send, to } = scene(form, 4)
    source.pipe(hashTo(sinks, { seed: [1, 2] })).subscribe()
    const placed = (): number[][] => {
      for (const { port } of to) port.received.length = 0
      send(...Array.from({ length: 200 }, (_, port) => udp({ fromPort: port })))
      return to.map(({ port }) => port.received.map(frame => frame.readUInt16BE(34)))
    }
    const before = placed()
    to[2].port.setRunning(false)
    const during = placed()
    t.deepEqual(during[2], [])
    for (const i of [0, 1, 3]) {
      t.true(before[i].every(port => during[i].includes(port)))
      t.true(during[i].length > before[i].length)
    }
    to[2].port.setRunning(true)
    t.deepEqual(placed(), before)
    for (const { port } of to) port.setRunning(false)
    placed()
    t.deepEqual(
      sinks.map(sink => sink.stats.drops),
      before.map(all => ({ 'not-ready': all.length })),
    )
  })
}

test('hashTo: however the list of sinks changes, only flows of sinks that went or came move', t => {
  const PORTS = Array.from({ length: 200 }, (_, port) => udp({ fromPort: port }))
  const { source, sinks, send, to } = scene('bursts', 5)
  /** For each flow, the number of the sink that gets it when the sinks are these, by name or by object. */
  const placed = (list: readonly number[], named: boolean): number[] => {
    for (const { port } of to) port.received.length = 0
    const running = source
      .pipe(
        hashTo(
          list.map(n => (named ? { sink: sinks[n], name: `ids${n}` } : sinks[n])),
          { seed: [1, 2] },
        ),
      )
      .subscribe()
    send(...PORTS)
    running.unsubscribe()
    const found: number[] = []
    for (const [n, { port }] of to.entries()) {
      for (const frame of port.received) found[frame.readUInt16BE(34)] = n
      port.post(1000)
    }
    return found
  }
  const lists = fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 1 })
  fc.assert(
    fc.property(lists, lists, fc.boolean(), (before, after, named) => {
      const [first, second] = [placed(before, named), placed(after, named)]
      t.is(first.length, PORTS.length)
      for (const [flow, sink] of first.entries()) {
        if (second[flow] === sink) continue
        t.true(!after.includes(sink) || !before.includes(second[flow]), `flow ${flow} moved`)
      }
      for (const n of after) t.true(second.filter(sink => sink === n).length > 100 / after.length)
    }),
    { numRuns: 50 },
  )
})

test('in virtual time: the packets of a burst in turn', t => {
  marbles(
    h => {
      const { queue } = h.fakeQueue('--3--1--|')
      const [a, b] = [h.fakeSink('9'), h.fakeSink('9')]
      h.expectObservable(queue.pipe(roundRobin([a.sink, b.sink]))).toBe('--------|')
      h.expectReceived(a).toBe('--a-----', { a: [0, 2] })
      h.expectReceived(b).toBe('--a--b--', { a: [1], b: [3] })
    },
    { equal: t.deepEqual },
  )
})

test('a strict sink that is full fails the subscription: what other sinks were not given stays with the queue', t => {
  const { source, plane, send, from } = scene('bursts', 0)
  const strict = fakeToGuest(plane, { highWaterMark: 4 })
  const other = fakeToGuest(plane, { size: 1024, room: 1024 })
  let failures = 0
  source
    .pipe(
      roundRobin([{ sink: strict.sink, overflow: 'strict' }, other.sink]),
      retry({ delay: () => [++failures] }),
    )
    .subscribe()
  for (let i = 0; i < 8; i++) send(...frames(8, i * 8))
  t.true(failures > 0)
  const got = other.port.received.map(numberOf)
  const { held, drops } = strict.sink.stats
  t.is(held, 4)
  t.is(got.length + held + drops.overflow, 64)
  t.deepEqual(got, [...new Set(got)])
  t.is(from.port.waiting, 0)
})

test('completes once all sinks took all', t => {
  const { source, sinks, send, to, from, plane } = scene('bursts', 2, 0)
  let completed = 0
  source.pipe(roundRobin(sinks)).subscribe({ complete: () => completed++ })
  send(...frames(4))
  from.source.close()
  for (const [i, { port }] of to.entries()) {
    t.is(completed, 0)
    port.post(2)
    plane.loop.drain()
    t.is(completed, i)
  }
  t.is(plane.pool.leases, 0)
})

test('no sink at all is refused', t => {
  for (const none of [roundRobin, hashTo])
    t.throws(() => none([]), { instanceOf: RangeError, message: /no sinks/ })
})
