// Bursts in streams of Node: pipeline() at the pace of the slowest, and no way out of it leaves a lease behind, also not in
// the buffers of streams that know nothing of leases.
import { PassThrough, Writable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import test from 'ava'
import { concatWith, share, throwError } from 'rxjs'
import { take } from 'rxjs/operators'
import { enqueue } from '../../src/operators/index.js'
import type { HeldBurst } from '../../src/packet/burst.js'
import { toReadable, toWritable } from '../../src/streams/index.js'
import { numberOf } from '../../src/testing/index.js'
import { allBack, BURST, bench, CREDIT, fullRing, read, upTo } from './bench.js'

/** A Writable that takes its time, with a buffer of its own. It may fail at its `failAt`th burst. */
function slow(into: number[], { failAt = 0, highWaterMark = 4 } = {}): Writable {
  let count = 0
  return new Writable({
    objectMode: true,
    highWaterMark,
    write(burst: HeldBurst, _, done) {
      if (++count === failAt) done(new Error('writable'))
      else read(burst, into).then(() => done(), done)
    },
  })
}

test('pipeline() into a slow Writable: everything in order, within the credit, and the guest waits', async t => {
  const it = bench()
  const seen: number[] = []
  it.send(1000)
  const running = it.pass(pipeline(toReadable(it.queue.pipe(take(1000 / BURST))), slow(seen)))
  await it.pass()
  t.true(it.from.port.waiting > 1000 - CREDIT - seen.length - BURST)
  await running
  t.deepEqual(seen, upTo(1000))
  t.is(it.most(), CREDIT)
  t.is(it.leases(), 0)
})

test('through a Transform', async t => {
  const it = bench()
  const seen: number[] = []
  it.send(400)
  const through = new PassThrough({ objectMode: true, highWaterMark: 2 })
  await it.pass(pipeline(toReadable(it.queue.pipe(take(50))), through, slow(seen)))
  t.deepEqual(seen, upTo(400))
  t.is(it.leases(), 0)
})

test('a Writable that fails: what is in its buffer, and in that of the stream before it, is released', async t => {
  const it = bench()
  const seen: number[] = []
  it.send(200)
  const through = new PassThrough({ objectMode: true, highWaterMark: 2 })
  const running = pipeline(toReadable(it.queue), through, slow(seen, { failAt: 3 }))
  await t.throwsAsync(it.pass(running), { message: 'writable' })
  // Node hands out one more before it says so.
  t.deepEqual(seen.slice(0, 2 * BURST), upTo(2 * BURST))
  await allBack(t, it, it.from.queue.stats.packets - it.from.source.unseen, 200)
})

test('a Writable that fails after the source has completed, with the rest in its buffer', async t => {
  const it = bench()
  it.send(200)
  const running = pipeline(toReadable(it.queue.pipe(take(6))), slow([], { failAt: 3, highWaterMark: 16 }))
  await t.throwsAsync(it.pass(running), { message: 'writable' })
  await allBack(t, it, 6 * BURST, 200)
})

for (const way of ['destroy', 'destroy with an error', 'abort', 'abort of pipeline()'] as const)
  test(`${way} releases all, and the consumer’s own release does nothing`, async t => {
    const it = bench()
    const stop = new AbortController()
    const { signal } = stop
    it.send(200)
    const had: HeldBurst[] = []
    const writable = new Writable({
      objectMode: true,
      write(burst: HeldBurst) {
        had.push(burst)
      },
    })
    const readable = toReadable(it.queue, way === 'abort' ? { signal } : {})
    const running = pipeline(readable, writable, way === 'abort of pipeline()' ? { signal } : {})
    await it.pass()
    t.is(it.leases(), CREDIT)
    if (way === 'destroy') readable.destroy()
    else if (way === 'destroy with an error') readable.destroy(new Error('mine'))
    else stop.abort()
    t.is(it.leases(), it.from.source.unseen)
    await t.throwsAsync(it.pass(running), { any: true })
    t.is(had.length, 1)
    t.notThrows(() => had[0].release())
    await allBack(t, it, CREDIT, 200)
  })

test('aborted before it is read: nobody subscribes', async t => {
  const it = bench()
  it.send(10)
  const readable = toReadable(it.queue, { signal: AbortSignal.abort() })
  await t.throwsAsync(it.pass(finished(readable)), { name: 'AbortError' })
  t.is(it.from.port.calls.dequeue, 0)
})

test('a Readable in `for await`; break destroys it', async t => {
  const it = bench()
  it.send(200)
  const seen: number[] = []
  const readable = toReadable(it.queue)
  const loop = (async () => {
    for await (const burst of readable) {
      await read(burst, seen)
      if (seen.length === 5 * BURST) break
    }
  })()
  await it.pass(loop)
  t.deepEqual(seen, upTo(5 * BURST))
  t.true(readable.destroyed)
  t.is(it.leases(), it.from.source.unseen)
})

test('read() without flowing, and paused in between', async t => {
  const it = bench()
  it.send(3 * BURST)
  const readable = toReadable(it.queue)
  const seen: number[] = []
  t.is(readable.read(), null)
  await it.pass()
  for (let burst = readable.read(); burst !== null; burst = readable.read()) await read(burst, seen)
  t.deepEqual(seen, upTo(3 * BURST))
  readable.on('data', (burst: HeldBurst) => read(burst, seen))
  it.send(BURST)
  await it.pass()
  readable.pause()
  it.send(2 * BURST)
  await it.pass()
  t.is(it.leases(), 2 * BURST)
  readable.resume()
  await it.pass()
  t.deepEqual(seen, upTo(6 * BURST))
  readable.destroy()
  t.is(it.leases(), 0)
})

test('an error of the source comes after what it gave is done with', async t => {
  const it = bench()
  it.send(100)
  const failure = new Error('source')
  const seen: number[] = []
  const source = it.queue.pipe(take(6), concatWith(throwError(() => failure)))
  t.is(await t.throwsAsync(it.pass(pipeline(toReadable(source), slow(seen)))), failure)
  t.deepEqual(seen, upTo(6 * BURST))
  t.is(it.leases(), it.from.source.unseen)
})

test('an error that is none still fails the stream', async t => {
  const readable = toReadable(throwError(() => undefined))
  readable.resume()
  await t.throwsAsync(finished(readable), { message: /failed/ })
})

test('it ends when the last burst was released', async t => {
  const it = bench()
  it.send(2 * BURST)
  const had: HeldBurst[] = []
  let ended = false
  const readable = toReadable(it.queue.pipe(take(2)))
  readable.on('data', burst => had.push(burst))
  readable.on('end', () => {
    ended = true
  })
  await it.pass()
  had[0].release()
  await it.pass()
  t.false(ended)
  had[1].release()
  await it.pass()
  t.true(ended)
})

test('two streams of a shared source: the slowest governs', async t => {
  const it = bench()
  const [fast, late]: number[][] = [[], []]
  it.send(400)
  const shared = it.queue.pipe(take(50), share())
  const running = [
    pipeline(toReadable(shared), slow(late)),
    pipeline(toReadable(shared), slow(fast, { highWaterMark: 16 })),
  ]
  await it.pass(Promise.all(running))
  t.deepEqual([fast, late], [upTo(400), upTo(400)])
  t.is(it.most(), CREDIT)
  t.is(it.leases(), 0)
})

test('pipeline() into a guest with a full ring: it waits, loses nothing, and finishes once the guest has all', async t => {
  const it = bench(0)
  it.send(1000)
  await fullRing(t, it, pipeline(toReadable(it.queue.pipe(take(1000 / BURST))), toWritable(it.to.sink)))
})

test('a Writable that is destroyed releases what was written, and the sink keeps what it accepted', async t => {
  const it = bench(4)
  it.send(5 * BURST)
  await it.pass()
  const writable = toWritable(it.to.sink)
  const written = upTo(5).map(() => it.queue.dequeueBurst(BURST))
  for (const burst of written) writable.write(burst, () => {})
  await it.pass()
  t.is(it.leases(), 5 * BURST - 4)
  writable.destroy()
  t.is(it.leases(), BURST - 4)
  t.is(it.to.sink.stats.held, BURST - 4)
  it.to.port.post(100)
  await it.pass()
  t.deepEqual(it.got(), upTo(BURST))
  t.is(it.leases(), 0)
})

test('what is written to a stream that has ended is released', async t => {
  const it = bench()
  it.send(3 * BURST)
  await it.pass()
  const writable = toWritable(it.to.sink)
  writable.on('error', () => {})
  writable.end(it.queue.dequeueBurst(BURST))
  await it.pass(finished(writable))
  t.deepEqual(it.got(), upTo(BURST))
  writable.write(it.queue.dequeueBurst(BURST))
  const other = toWritable(it.to.sink)
  other.on('error', () => {})
  other.end()
  other.write(it.queue.dequeueBurst(BURST))
  await it.pass()
  t.is(it.leases(), 0)
})

test('only bursts can be written; a burst that was released is an error', async t => {
  const it = bench()
  it.send(BURST)
  await it.pass()
  for (const [wrong, code] of [
    [Buffer.alloc(64), 'ERR_VHOST_INVALID_ARGUMENT'],
    [it.queue.dequeueBurst(BURST), 'ERR_VHOST_LEASE_RELEASED'],
  ] as const) {
    if (!Buffer.isBuffer(wrong)) wrong.release()
    const writable = toWritable(it.to.sink)
    writable.write(wrong)
    await t.throwsAsync(it.pass(finished(writable)), { code })
  }
  t.is(it.leases(), 0)
})

test('a strict sink without room fails the stream', async t => {
  const it = bench(0)
  it.send(1000)
  const running = pipeline(toReadable(it.queue), toWritable(it.to.sink, { overflow: 'strict' }))
  await t.throwsAsync(it.pass(running), { code: 'ERR_VHOST_OVERFLOW' })
  t.is(it.to.sink.stats.held, 256)
  it.to.port.post(1000)
  await it.pass()
  t.deepEqual(it.got(), upTo(256))
  t.is(it.leases(), it.from.source.unseen)
})

test('a drop-newest sink never slows its source', async t => {
  const it = bench(0)
  it.send(1000)
  const sink = toWritable(it.to.sink, { overflow: 'drop-newest' })
  const running = pipeline(toReadable(it.queue.pipe(take(1000 / BURST))), sink)
  await it.pass()
  await it.pass()
  t.is(it.from.port.waiting, 0)
  t.is(it.to.sink.stats.drops.overflow, 1000 - 256)
  it.to.port.post(256)
  await it.pass(running)
  t.deepEqual(it.got(), upTo(256))
})

test('aborted: a Writable lets its sink go', async t => {
  const it = bench(0)
  const stop = new AbortController()
  const uses: string[] = []
  const { sink } = it.to
  const counted = {
    next: sink.next.bind(sink),
    accept: sink.accept.bind(sink),
    whenDrained: sink.whenDrained.bind(sink),
    use: () => {
      uses.push('begin')
      return () => uses.push('end')
    },
  }
  it.send(100)
  const writable = toWritable(counted, { signal: stop.signal })
  const running = pipeline(toReadable(it.queue), writable)
  await it.pass()
  t.deepEqual(uses, ['begin'])
  stop.abort()
  await t.throwsAsync(it.pass(running), { name: 'AbortError' })
  t.deepEqual(uses, ['begin', 'end'])
  t.is(it.to.sink.stats.held, BURST)
  it.to.port.post(100)
  await it.pass()
  t.is(it.leases(), it.from.source.unseen)
})

test('a sink that can’t be used fails the stream', async t => {
  const it = bench()
  const failure = new Error('no socket')
  const writable = toWritable({
    next: () => {},
    accept: () => true,
    whenDrained: done => {
      done()
      return () => {}
    },
    use: () => {
      throw failure
    },
  })
  const ended = finished(writable)
  it.send(BURST)
  it.plane.loop.drain()
  writable.write(it.queue.dequeueBurst(BURST))
  t.is(await t.throwsAsync(it.pass(ended)), failure)
  t.is(it.leases(), 0)
})

test('enqueue beside a Readable: both get all', async t => {
  const it = bench()
  const seen: number[] = []
  const running = it.queue.pipe(enqueue(it.to.sink)).subscribe()
  const readable = toReadable(it.queue)
  readable.on('data', (burst: HeldBurst) => read(burst, seen))
  await it.pass()
  it.send(200)
  await it.pass()
  await it.pass()
  t.deepEqual([seen, it.got()], [upTo(200), upTo(200)])
  running.unsubscribe()
  readable.destroy()
  t.is(it.leases(), 0)
  t.is(numberOf(it.to.port.received[0]), 0)
})
