// Credit and sinks through whole pipelines: kicks that don't flap, stalls that say who holds what, fairness, and sinks
// that outlive subscriptions and devices.
import test from 'ava'
import { merge, NEVER } from 'rxjs'
import { concatMap, delay, share } from 'rxjs/operators'
import { enqueue, mapPackets, mirror, rebatch, release, retain } from '../../src/operators/index.js'
import { FakePort, fakeFromGuest, fakeToGuest, frames, numberOf } from '../../src/testing/index.js'
import { bench, upTo } from './bench.js'

test('two thresholds: a guest that makes room one by one wakes its peer once per half of the credit', t => {
  const { plane, queue, from, to, run, got } = bench({ highWaterMark: 64, burst: 64 }, 0)
  queue.pipe(enqueue(to.sink)).subscribe()
  run(1024)
  const { arm, suppress, dequeue } = from.port.calls
  for (let i = 0; i < 640; i++) {
    to.port.post(1)
    plane.loop.drain()
  }
  t.is(got().length, 640)
  // 640 packets left, 32 at a time; each resumption finds packets, then no credit.
  const calls = from.port.calls.dequeue - dequeue
  t.true(calls >= 20 && calls <= 2 * 21, `${calls} dequeue calls`)
  t.is(from.port.calls.arm - arm, 0, 'the ring was never empty')
  t.is(from.port.calls.suppress - suppress, 0, 'and its kick never armed')
})

test('a ring that runs empty is armed once, and suppressed once', t => {
  const { plane, queue, from, run } = bench({ poll: 'interrupt' })
  queue.subscribe()
  run(10)
  const { arm, suppress } = from.port.calls
  for (let i = 0; i < 10; i++) run(50)
  t.is(from.port.calls.arm - arm, 10)
  t.is(from.port.calls.suppress - suppress, 10)
  plane.loop.advance(100)
  t.is(from.port.calls.arm - arm, 10)
})

test('a stall says who holds what', t => {
  const stalled: { held: number; holders: Readonly<Record<string, number>> }[] = []
  const { plane, queue, run, leases } = bench({
    highWaterMark: 32,
    burst: 8,
    onStalled: s => stalled.push(s),
  })
  const shared = queue.pipe(share())
  const running = [
    shared
      .pipe(
        retain('recorder'),
        concatMap(() => NEVER),
      )
      .subscribe(),
    shared.pipe(retain('delay line'), delay(1e6), release()).subscribe(),
    shared.pipe(rebatch(1000)).subscribe(),
  ]
  run(100)
  t.deepEqual(stalled, [])
  plane.loop.advance(1500)
  t.deepEqual(stalled, [{ held: 32, holders: { recorder: 4, 'delay line': 4, 'rebatch()': 1 } }])
  for (const one of running) one.unsubscribe()
  t.is(leases(), 0)
})

test('who releases late, and bit by bit, is no stall', t => {
  const stalled: unknown[] = []
  const { plane, queue, run } = bench({ highWaterMark: 32, burst: 8, onStalled: s => stalled.push(s) })
  const held: { release(): void }[] = []
  queue.pipe(retain()).subscribe(burst => held.push(burst))
  run(200)
  for (let i = 0; i < 20; i++) {
    plane.loop.advance(900)
    held.shift()?.release()
  }
  t.deepEqual(stalled, [])
})

test('several sources into one sink: fair within their credits, each in order', t => {
  const { plane, queue, to, send, got, leases } = bench({ highWaterMark: 64, burst: 16 }, 0)
  const other = fakeFromGuest(plane, { size: 1 << 14, highWaterMark: 64, burst: 16 })
  // One as bursts, one as copies, into the same sink.
  merge(queue, other.queue.pipe(mapPackets(() => {})))
    .pipe(enqueue(to.sink))
    .subscribe()
  send(2000)
  other.port.send(...frames(2000, 10_000))
  for (let i = 0; i < 250; i++) {
    plane.loop.drain()
    to.port.post(16)
    const first = got().filter(n => n < 10_000).length
    const second = got().length - first
    if (got().length < 3800) t.true(Math.abs(first - second) <= 128, `${first} and ${second}`)
  }
  plane.loop.drain()
  t.deepEqual(
    got().filter(n => n < 10_000),
    upTo(2000),
  )
  t.deepEqual(
    got().filter(n => n >= 10_000),
    upTo(2000, 10_000),
  )
  t.is(leases(), 0)
})

test('a sink keeps what a full ring refused across subscriptions, in front of what comes', t => {
  const { plane, queue, to, run, got, leases } = bench({ highWaterMark: 64, burst: 16 }, 5)
  for (let i = 0; i < 4; i++) {
    const running = queue.pipe(enqueue(to.sink)).subscribe()
    run(10)
    running.unsubscribe()
  }
  t.is(to.sink.stats.held, 35)
  t.is(queue.stats.held, 35, 'it still has its source’s credit')
  to.port.post(100)
  plane.loop.drain()
  t.deepEqual(got(), upTo(40))
  t.is(leases(), 0)
})

test('a sink over a driver that reconnects resumes: drops while absent, or waits, as asked', t => {
  for (const whileAbsent of ['drop', 'block'] as const) {
    const { plane, queue, from, send, leases } = bench({ highWaterMark: 64, burst: 16 })
    const { target, sink } = followed(plane, whileAbsent)
    const got: number[] = []
    queue.pipe(enqueue(sink)).subscribe()
    for (let i = 0; i < 5; i++) {
      const port = new FakePort(plane.pool, { size: 1 << 10 })
      target.attach(port)
      port.post(1 << 10)
      send(100)
      plane.loop.drain()
      target.detach()
      got.push(...port.received.map(numberOf))
      // The device is gone.
      send(50)
      plane.loop.drain()
    }
    const lost = sink.stats.drops['no-device'] ?? 0
    if (whileAbsent === 'drop') {
      t.is(lost, 5 * 50)
      t.is(from.port.waiting, 0)
      t.is(got.length, 500)
      t.is(leases(), 0)
    } else {
      t.is(lost, 0)
      t.deepEqual(got, upTo(got.length))
      t.is(got.length + sink.stats.held + from.port.waiting, 750)
    }
  }
})

test('a source over a driver that reconnects goes on with the next ring, after what it still had', t => {
  const { plane, queue, from, to, got, leases } = bench({ highWaterMark: 64, burst: 16 }, 8)
  queue.pipe(mirror(to.sink, { overflow: 'block' })).subscribe()
  let sent = 0
  for (let i = 0; i < 5; i++) {
    const port = new FakePort(plane.pool, { size: 1 << 10 })
    from.source.attach(port)
    sent += port.send(...frames(20, sent))
    plane.loop.drain()
    from.source.detach()
    to.port.post(8)
    plane.loop.drain()
  }
  to.port.post(1 << 10)
  plane.loop.drain()
  t.deepEqual(got(), upTo(sent))
  t.is(leases(), 0)
})

function followed(plane: ReturnType<typeof bench>['plane'], whileAbsent: 'drop' | 'block') {
  const made = fakeToGuest(plane, { whileAbsent })
  made.target.detach()
  return made
}
