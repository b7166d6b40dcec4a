// capture: what is in the file, which packets, and that the path observed never notices.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import test, { type ExecutionContext } from 'ava'
import { merge } from 'rxjs'
import { retry, take } from 'rxjs/operators'
import { type CaptureEvent, capture, PcapngWriter } from '../../src/capture/index.js'
import { enqueue, filterPackets, mapPackets } from '../../src/operators/index.js'
import { ethernet, frames, numberOf } from '../../src/testing/index.js'
import { bench, marbles, upTo } from '../operators/bench.js'
import { blocksOf, interfacesOf, packetsOf, SlowStream, statisticsOf } from './blocks.js'

function folder(t: ExecutionContext): string {
  const made = mkdtempSync(join(tmpdir(), 'rx-vhost-capture-'))
  t.teardown(() => rmSync(made, { recursive: true, force: true }))
  return made
}

const numbers = (file: string | Buffer): number[] =>
  packetsOf(typeof file === 'string' ? readFileSync(file) : file).map(({ bytes }) => numberOf(bytes))

test('hands on what it gets', t => {
  marbles(t, capture(new PassThrough().resume()), {
    source: '--3--1--|',
    result: '--a--b--|',
    values: { a: '0 1 2', b: '3' },
  })
})

test('a file has a header, an interface, packets with times and lengths, statistics', async t => {
  const path = join(folder(t), 'a.pcapng')
  let now = 1_000_000
  const writer = new PcapngWriter(path, { now: () => now })
  const { queue, run } = bench({ burst: 2 })
  const running = queue.pipe(capture(writer, { name: 'vm-a' })).subscribe()
  run(3)
  now += 2.5
  run(1)
  running.unsubscribe()
  await writer.finished()
  const file = readFileSync(path)
  t.deepEqual(
    blocksOf(file).map(({ type }) => type),
    [0x0a0d0d0a, 1, 6, 6, 6, 6, 5],
  )
  t.deepEqual(interfacesOf(file), [{ name: 'vm-a', linkType: 1, snaplen: 0, resolution: 9 }])
  const began = 1_000_000_000_000n
  t.deepEqual(
    packetsOf(file),
    frames(4).map((bytes, n) => ({
      interface: 0,
      time: began + (n < 3 ? 0n : 2_500_000n),
      original: 64,
      bytes,
      flags: 1,
    })),
  )
  t.deepEqual(statisticsOf(file), [{ interface: 0, received: 4, dropped: 0, accepted: 4, delivered: 4 }])
})

test('times are those of the wall clock, to far below a microsecond', async t => {
  const out = new SlowStream()
  const writer = new PcapngWriter(out)
  const { queue, run } = bench()
  const running = queue.pipe(capture(writer)).subscribe()
  const before = BigInt(Date.now()) * 1_000_000n
  run(1)
  const after = BigInt(Date.now() + 1) * 1_000_000n
  running.unsubscribe()
  out.flow()
  await writer.finished()
  const [{ time }] = packetsOf(out.bytes)
  // The monotonic clock may be so far from the wall clock before it is followed.
  t.true(time > before - 20_000_000n && time < after + 20_000_000n, `${before} ${time} ${after}`)
})

test('every length from 0 bytes of padding to 3 is as it was, also where a slot begins at an odd byte', async t => {
  const out = new SlowStream()
  const writer = new PcapngWriter(out)
  const { queue, from, plane } = bench()
  const sent = upTo(64).map(n => {
    const frame = Buffer.alloc(60 + n, n + 1)
    frame.writeUInt32BE(n, 14)
    return frame
  })
  const running = queue
    .pipe(
      capture(writer),
      mapPackets(packet => packet.prepend(1)),
      capture(writer, { direction: 'outbound' }),
    )
    .subscribe()
  from.port.send(...sent)
  plane.loop.drain()
  running.unsubscribe()
  out.flow()
  await writer.finished()
  const packets = packetsOf(out.bytes)
  const [before, behind] = [0, 1].map(id => packets.filter(packet => packet.interface === id))
  t.deepEqual(
    before.map(({ bytes }) => bytes),
    sent,
  )
  t.deepEqual(
    behind.map(({ bytes }) => bytes.subarray(1)),
    sent,
  )
  t.deepEqual([before[0].flags, behind[0].flags], [1, 2])
})

test('several pipelines write into one file, an interface for each name', async t => {
  const path = join(folder(t), 'b.pcapng')
  const writer = new PcapngWriter(path)
  const [a, b] = [bench(), bench()]
  const running = merge(
    a.queue.pipe(capture(writer, { name: 'a' })),
    b.queue.packets.pipe(
      capture(writer, { name: 'b', snaplen: 20 }),
      capture(writer, { name: 'a', direction: 'outbound' }),
    ),
  ).subscribe()
  a.run(2)
  b.run(1)
  running.unsubscribe()
  await writer.finished()
  const file = readFileSync(path)
  t.deepEqual(
    interfacesOf(file).map(({ name, snaplen }) => [name, snaplen]),
    [
      ['a', 0],
      ['b', 20],
    ],
  )
  t.deepEqual(
    packetsOf(file).map(packet => [packet.interface, packet.flags, packet.bytes.length, packet.original]),
    [
      [0, 1, 64, 64],
      [0, 1, 64, 64],
      [1, 1, 20, 64],
      [0, 2, 64, 64],
    ],
  )
})

test('an interface that comes later is described before its packets', async t => {
  const out = new SlowStream()
  const writer = new PcapngWriter(out)
  const { queue, run } = bench()
  const first = queue.pipe(capture(writer)).subscribe()
  run(1)
  const second = queue.pipe(capture(writer)).subscribe()
  run(1)
  first.unsubscribe()
  second.unsubscribe()
  out.flow()
  await writer.finished()
  t.deepEqual(
    blocksOf(out.bytes).map(({ type }) => type),
    [0x0a0d0d0a, 1, 6, 1, 6, 6, 5, 5],
  )
  t.deepEqual(
    interfacesOf(out.bytes).map(({ name }) => name),
    ['queue0', 'queue1'],
  )
})

test('a filter says what is captured, not what passes', async t => {
  const out = new SlowStream()
  const writer = new PcapngWriter(out)
  const { queue, to, run, got } = bench()
  const odd = { filter: (packet: { uint32(at: number): number }) => packet.uint32(14) % 2 === 1 }
  const running = merge(
    queue.pipe(capture(writer, odd), enqueue(to.sink)),
    queue.packets.pipe(capture(writer, odd)),
  ).subscribe()
  run(6)
  running.unsubscribe()
  out.flow()
  await writer.finished()
  t.deepEqual(got(), upTo(6))
  t.deepEqual(numbers(out.bytes), [1, 3, 5, 1, 3, 5])
  t.deepEqual(writer.stats, { packets: 6, held: 0, filtered: 6, drops: {} })
  t.deepEqual(
    statisticsOf(out.bytes).map(({ received, accepted }) => [received, accepted]),
    [
      [6, 3],
      [6, 3],
    ],
  )
})

test('a filter that throws costs its packet, which is not captured; with retry() nothing else is missing or twice', async t => {
  const path = join(folder(t), 'c.pcapng')
  const writer = new PcapngWriter(path)
  const { queue, run, got, to, drops } = bench({ burst: 8 })
  const filter = (packet: { uint32(at: number): number }): boolean => {
    if (packet.uint32(14) === 3) throw new Error('filter')
    return true
  }
  const running = queue.pipe(capture(writer, { filter }), retry(1), enqueue(to.sink)).subscribe()
  run(12)
  running.unsubscribe()
  await writer.finished()
  const rest = upTo(12).filter(n => n !== 3)
  t.deepEqual([got(), numbers(path)], [rest, rest])
  t.deepEqual(drops(), { 'pipeline-error': 1 })
  // One section: the file did not end in between.
  t.is(blocksOf(readFileSync(path)).filter(({ type }) => type === 0x0a0d0d0a).length, 1)
})

test('a later subscription goes on behind what is there, in a section of its own', async t => {
  const path = join(folder(t), 'd.pcapng')
  const writer = new PcapngWriter(path)
  const { queue, run } = bench({ burst: 4 })
  const once = queue.pipe(capture(writer), take(1))
  for (const count of [2, 3]) {
    const done = once.subscribe()
    run(count)
    t.true(done.closed)
    await writer.finished()
  }
  t.deepEqual(numbers(path), upTo(5))
  t.deepEqual(
    blocksOf(readFileSync(path)).map(({ type }) => type),
    [0x0a0d0d0a, 1, 6, 6, 5, 0x0a0d0d0a, 1, 6, 6, 6, 5],
  )
})

test('files are rotated by size, none is larger, and a ring keeps the last of them', async t => {
  const where = folder(t)
  const events: string[] = []
  const onEvent = (event: CaptureEvent): void => {
    events.push(`${event.type} ${event.path?.slice(where.length + 1)}`)
  }
  const writer = new PcapngWriter(join(where, 'e.pcapng'), { rotate: { bytes: 2000 }, ring: 2, onEvent })
  const { queue, run } = bench()
  const running = queue.pipe(capture(writer)).subscribe()
  run(60)
  running.unsubscribe()
  await writer.finished()
  t.deepEqual(readdirSync(where), ['e-00003.pcapng', 'e-00004.pcapng'])
  const files = readdirSync(where).map(name => readFileSync(join(where, name)))
  t.true(files.every(({ length }) => length <= 2000))
  const [third, fourth] = files.map(numbers)
  t.deepEqual([...third, ...fourth], upTo(60 - third[0], third[0]))
  // Each is whole by itself; the counters go on.
  t.deepEqual(
    files.map(file => interfacesOf(file).length),
    [1, 1],
  )
  t.deepEqual(statisticsOf(files[1])[0].received, 60)
  t.deepEqual(events.slice(0, 6), [
    'opened e-00001.pcapng',
    'closed e-00001.pcapng',
    'opened e-00002.pcapng',
    'closed e-00002.pcapng',
    'removed e-00001.pcapng',
    'opened e-00003.pcapng',
  ])
})

test('a packet that is larger than a file may be has a file of its own', async t => {
  const where = folder(t)
  const writer = new PcapngWriter(join(where, 'f'), { rotate: { bytes: 600 } })
  const { queue, from, plane } = bench()
  const running = queue.pipe(capture(writer)).subscribe()
  from.port.send(
    ethernet({ payload: Buffer.alloc(1400) }),
    ethernet(),
    ethernet({ payload: Buffer.alloc(1400) }),
  )
  plane.loop.drain()
  running.unsubscribe()
  await writer.finished()
  const files = readdirSync(where).map(name => packetsOf(readFileSync(join(where, name))).length)
  t.deepEqual(files, [1, 1, 1])
})

test('files are rotated by time, when the next packet comes', async t => {
  const where = folder(t)
  let now = 1000
  const writer = new PcapngWriter(join(where, 'g.pcapng'), { rotate: { seconds: 1 }, now: () => now })
  const { queue, run } = bench()
  const running = queue.pipe(capture(writer)).subscribe()
  for (const ms of [0, 999, 1, 5000]) {
    now += ms
    run(1)
  }
  running.unsubscribe()
  await writer.finished()
  const files = readdirSync(where).map(name => numbers(join(where, name)))
  t.deepEqual(files, [[0, 1], [2], [3]])
})

/** More packets than the smallest buffer has room for, into a stream that takes nothing at first. */
const MANY = 12_000

function flood(overflow?: 'drop-newest' | 'drop-oldest' | 'block' | 'strict') {
  const out = new SlowStream()
  const writer = new PcapngWriter(out, { overflow, highWaterBytes: 1 })
  const made = bench({ size: 1 << 16 })
  const errors: { code?: string }[] = []
  const running = made.queue
    .pipe(capture(writer), enqueue(made.to.sink))
    .subscribe({ error: error => errors.push(error) })
  made.run(MANY)
  return { ...made, out, writer, errors, running }
}

test('what the disk is too slow for is dropped, newest first, counted, and no concern of the path', async t => {
  const { out, writer, running, got, leases } = flood()
  t.deepEqual(got(), upTo(MANY))
  t.is(leases(), 0)
  const { overflow } = writer.stats.drops
  t.true(overflow > 0)
  running.unsubscribe()
  out.flow()
  await writer.finished()
  t.deepEqual(numbers(out.bytes), upTo(MANY - overflow))
  t.deepEqual(statisticsOf(out.bytes), [
    { interface: 0, received: MANY, dropped: overflow, accepted: MANY, delivered: MANY - overflow },
  ])
  t.is(writer.stats.packets, MANY - overflow)
})

test('drop-oldest gives up what waited longest', async t => {
  const { out, writer, running, got } = flood('drop-oldest')
  t.deepEqual(got(), upTo(MANY))
  running.unsubscribe()
  out.flow()
  await writer.finished()
  const kept = numbers(out.bytes)
  t.is(kept.at(-1), MANY - 1)
  t.is(kept.length, MANY - writer.stats.drops.overflow)
  t.is(statisticsOf(out.bytes)[0].delivered, kept.length)
})

test('block makes the path wait, by its credit, and loses nothing', async t => {
  const { out, writer, running, got, plane, from, leases } = flood('block')
  t.is(writer.stats.held, from.credit)
  t.true(from.port.waiting > 0)
  out.flow()
  while (got().length < MANY) {
    await new Promise(setImmediate)
    plane.loop.drain()
  }
  running.unsubscribe()
  await writer.finished()
  t.deepEqual([got(), numbers(out.bytes)], [upTo(MANY), upTo(MANY)])
  t.deepEqual(writer.stats, { packets: MANY, held: 0, filtered: 0, drops: {} })
  t.is(leases(), 0)
})

test('what a blocking capture holds is still written when its pipeline has left', async t => {
  const { out, writer, running, got, leases } = flood('block')
  running.unsubscribe()
  t.is(leases(), writer.stats.held)
  out.flow()
  await writer.finished()
  t.deepEqual(numbers(out.bytes), got())
  t.is(leases(), 0)
})

test('strict fails the path', async t => {
  const { out, writer, errors } = flood('strict')
  t.deepEqual(
    errors.map(({ code }) => code),
    ['ERR_VHOST_OVERFLOW'],
  )
  out.flow()
  await writer.finished()
  t.true(numbers(out.bytes).length > 0)
})

test('a full disk is an event: the path goes on, and what is lost is counted', async t => {
  const events: CaptureEvent[] = []
  const writer = new PcapngWriter('/dev/full', { onEvent: event => events.push(event) })
  const { queue, to, run, got } = bench()
  const running = queue.pipe(capture(writer), enqueue(to.sink)).subscribe()
  run(10)
  while (!events.some(({ type }) => type === 'failed')) await new Promise(setImmediate)
  run(10)
  running.unsubscribe()
  await writer.finished()
  t.deepEqual(got(), upTo(20))
  const [failed] = events.filter(event => event.type === 'failed')
  t.like(failed, { path: '/dev/full', error: { code: 'ERR_VHOST_CAPTURE_FAILED', reason: 'ENOSPC' } })
  t.deepEqual(writer.stats, { packets: 0, held: 0, filtered: 0, drops: { failed: 20 } })
})

test('a failure that nobody listens for is a warning of the process', async t => {
  const warned = new Promise<Error>(resolve => process.once('warning', resolve))
  const { queue, run } = bench()
  const running = queue.pipe(capture('/dev/full')).subscribe()
  run(1)
  running.unsubscribe()
  t.like(await warned, { code: 'ERR_VHOST_CAPTURE_FAILED', path: '/dev/full' })
})

test('a folder that is not there is an event as well', async t => {
  const events: CaptureEvent[] = []
  const writer = new PcapngWriter(join(folder(t), 'none', 'x'), { onEvent: event => events.push(event) })
  const { queue, to, run, got } = bench()
  const running = queue.pipe(capture(writer), enqueue(to.sink)).subscribe()
  run(4)
  running.unsubscribe()
  await writer.finished()
  t.deepEqual(got(), upTo(4))
  t.like(events, [{ type: 'failed', error: { reason: 'ENOENT' } }])
  t.is(events.length, 1)
})

for (const overflow of ['drop-newest', 'block'] as const)
  test(`a stream that fails, ${overflow}: the path goes on, and no lease is left`, async t => {
    let written = 0
    const stream = new Writable({
      write(chunk, _, done) {
        written += chunk.length
        done(written > 300_000 ? new Error('no more') : null)
      },
    })
    const events: CaptureEvent[] = []
    const writer = new PcapngWriter(stream, {
      overflow,
      highWaterBytes: 1,
      onEvent: event => events.push(event),
    })
    const { queue, to, run, got, leases, plane } = bench()
    const running = queue.pipe(capture(writer), enqueue(to.sink)).subscribe()
    run(MANY)
    while (got().length < MANY) {
      await new Promise(setImmediate)
      plane.loop.drain()
    }
    running.unsubscribe()
    await writer.finished()
    t.is(leases(), 0)
    t.like(
      events.filter(({ type }) => type === 'failed'),
      [{ error: { code: 'ERR_VHOST_CAPTURE_FAILED' } }],
    )
    t.true(writer.stats.drops.failed > 0)
  })

test('a stream is ended with the last pipeline, unless asked not to', async t => {
  for (const end of [true, false]) {
    const out = new SlowStream()
    out.flow()
    const writer = new PcapngWriter(out, { end })
    const { queue, run } = bench()
    const running = queue.pipe(capture(writer)).subscribe()
    run(1)
    running.unsubscribe()
    await writer.finished()
    t.is(out.writableFinished, end)
  }
})

test('a stream that keeps what it gets has the right bytes', async t => {
  const out = new PassThrough({ highWaterMark: 1 << 26 })
  const writer = new PcapngWriter(out, { highWaterBytes: 1, overflow: 'block' })
  const { queue, run, plane, from } = bench()
  const running = queue.pipe(capture(writer)).subscribe()
  run(MANY)
  while (from.port.waiting > 0) {
    await new Promise(setImmediate)
    plane.loop.drain()
  }
  running.unsubscribe()
  await writer.finished()
  t.deepEqual(numbers(Buffer.concat(await out.toArray())), upTo(MANY))
})

test('an unfinished chunk is written soon, not when it is full', async t => {
  const out = new SlowStream()
  out.flow()
  const { queue, run } = bench()
  const running = queue.pipe(capture(out)).subscribe()
  run(3)
  while (packetsOf(out.bytes).length < 3) await new Promise(setImmediate)
  running.unsubscribe()
  t.deepEqual(numbers(out.bytes), upTo(3))
})

test('what follows may throw, or change packets in place', async t => {
  const out = new SlowStream()
  out.flow()
  const writer = new PcapngWriter(out)
  const { queue, run } = bench({ burst: 4 })
  const running = queue
    .pipe(
      capture(writer),
      mapPackets(packet => packet.setUint32(14, 99), { inPlace: true }),
      filterPackets(() => true),
    )
    .subscribe()
  run(4)
  running.unsubscribe()
  await writer.finished()
  t.deepEqual(numbers(out.bytes), upTo(4))
})

test('options that contradict each other are refused', t => {
  const invalid = { code: 'ERR_VHOST_INVALID_ARGUMENT' }
  t.throws(() => capture(new PassThrough(), { rotate: { bytes: 1 } }), invalid)
  t.throws(() => capture('x', { ring: 2 }), invalid)
  t.throws(() => capture('x', { rotate: { bytes: 10 }, ring: 0 }), { instanceOf: RangeError })
  t.throws(() => capture('x', { rotate: { seconds: -1 } }), { instanceOf: RangeError })
  t.throws(() => capture('x', { snaplen: 0 }), { instanceOf: RangeError })
  t.throws(() => capture('x', { highWaterBytes: 0 }), { instanceOf: RangeError })
  t.throws(() => capture('x', { direction: 'in' as never }), { instanceOf: TypeError })
})
