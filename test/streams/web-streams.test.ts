// Bursts in streams of the web: pipeTo() at the pace of the slowest, and no way out of it leaves a lease behind, also not in
// the queues of streams that know nothing of leases.
import { TransformStream, WritableStream } from 'node:stream/web'
import test from 'ava'
import { concatWith, throwError } from 'rxjs'
import { take } from 'rxjs/operators'
import type { HeldBurst } from '../../src/packet/burst.js'
import { toReadableStream, toWritableStream } from '../../src/streams/index.js'
import { allBack, BURST, bench, CREDIT, fullRing, read, upTo } from './bench.js'

/** A WritableStream that takes its time, with a queue of its own. It may fail at its `failAt`th burst. */
function slow(into: number[], { failAt = 0, highWaterMark = 4 } = {}): WritableStream<HeldBurst> {
  let count = 0
  return new WritableStream(
    {
      async write(burst) {
        if (++count === failAt) throw new Error('writable')
        await read(burst, into)
      },
    },
    { highWaterMark },
  )
}

test('pipeTo() into a slow WritableStream: everything in order, within the credit, and the guest waits', async t => {
  const it = bench()
  const seen: number[] = []
  it.send(1000)
  const running = it.pass(toReadableStream(it.queue.pipe(take(1000 / BURST))).pipeTo(slow(seen)))
  await it.pass()
  t.true(it.from.port.waiting > 1000 - CREDIT - seen.length - BURST)
  await running
  t.deepEqual(seen, upTo(1000))
  t.is(it.most(), CREDIT)
  t.is(it.leases(), 0)
})

test('a WritableStream that fails: what is in its queue, and in that of the stream before it, is released', async t => {
  const it = bench()
  const seen: number[] = []
  it.send(200)
  const running = toReadableStream(it.queue)
    .pipeThrough(new TransformStream({}, { highWaterMark: 2 }, { highWaterMark: 2 }))
    .pipeTo(slow(seen, { failAt: 3 }))
  await t.throwsAsync(it.pass(running), { message: 'writable' })
  t.deepEqual(seen, upTo(2 * BURST))
  await allBack(t, it, it.from.queue.stats.packets - it.from.source.unseen, 200)
})

test('a WritableStream that fails after the source has completed, with the rest in its queue', async t => {
  const it = bench()
  it.send(200)
  const running = toReadableStream(it.queue.pipe(take(6))).pipeTo(slow([], { failAt: 3, highWaterMark: 16 }))
  await t.throwsAsync(it.pass(running), { message: 'writable' })
  await allBack(t, it, 6 * BURST, 200)
})

for (const way of ['cancel', 'abort', 'abort of pipeTo()'] as const)
  test(`${way} releases all, and the consumer’s own release does nothing`, async t => {
    const it = bench()
    const stop = new AbortController()
    const { signal } = stop
    it.send(200)
    const readable = toReadableStream(it.queue, way === 'abort' ? { signal } : {})
    const had: HeldBurst[] = []
    let open = (): void => {}
    const gate = new Promise<void>(resolve => {
      open = resolve
    })
    const writable = new WritableStream<HeldBurst>({
      write(burst) {
        had.push(burst)
        return gate
      },
    })
    const reader = way === 'cancel' ? readable.getReader() : undefined
    const running = reader ? undefined : readable.pipeTo(writable, way === 'abort' ? {} : { signal })
    const first = reader?.read()
    await it.pass()
    t.is(it.leases(), CREDIT)
    if (reader) await reader.cancel()
    else stop.abort(new Error('enough'))
    // pipeTo() itself waits for the write under way.
    if (way !== 'abort of pipeTo()') t.is(it.leases(), it.from.source.unseen)
    open()
    if (running) await t.throwsAsync(it.pass(running), { message: 'enough' })
    const [burst] = first ? [(await first).value as HeldBurst] : had
    t.notThrows(() => burst.release())
    await allBack(t, it, CREDIT, 200)
  })

test('aborted before it is read: nobody subscribes', async t => {
  const it = bench()
  it.send(10)
  const reader = toReadableStream(it.queue, { signal: AbortSignal.abort() }).getReader()
  await t.throwsAsync(it.pass(reader.read()), { any: true, name: 'AbortError' })
  t.is(it.from.port.calls.dequeue, 0)
})

test('a ReadableStream in `for await`; break cancels it', async t => {
  const it = bench()
  it.send(200)
  const seen: number[] = []
  const loop = (async () => {
    for await (const burst of toReadableStream(it.queue)) {
      await read(burst, seen)
      if (seen.length === 5 * BURST) break
    }
  })()
  await it.pass(loop)
  t.deepEqual(seen, upTo(5 * BURST))
  t.is(it.leases(), it.from.source.unseen)
})

test('an error of the source comes after what it gave is done with', async t => {
  const it = bench()
  it.send(100)
  const failure = new Error('source')
  const seen: number[] = []
  const source = it.queue.pipe(take(6), concatWith(throwError(() => failure)))
  t.is(await t.throwsAsync(it.pass(toReadableStream(source).pipeTo(slow(seen)))), failure)
  t.deepEqual(seen, upTo(6 * BURST))
  t.is(it.leases(), it.from.source.unseen)
})

test('pipeTo() into a guest with a full ring: it waits, loses nothing, and closes once the guest has all', async t => {
  const it = bench(0)
  it.send(1000)
  await fullRing(
    t,
    it,
    toReadableStream(it.queue.pipe(take(1000 / BURST))).pipeTo(toWritableStream(it.to.sink)),
  )
})

for (const way of ['abort()', 'signal'] as const)
  test(`${way}: what was written is released at once, and the sink keeps what it accepted`, async t => {
    const it = bench(4)
    const stop = new AbortController()
    it.send(5 * BURST)
    await it.pass()
    const writable = toWritableStream(it.to.sink, { signal: stop.signal })
    const writer = writable.getWriter()
    writer.closed.catch(() => {})
    const written = upTo(5).map(() => writer.write(it.queue.dequeueBurst(BURST)).catch(() => {}))
    await it.pass()
    t.is(it.leases(), 5 * BURST - 4)
    if (way === 'abort()') await it.pass(writer.abort(new Error('enough')))
    else stop.abort()
    t.is(it.leases(), BURST - 4)
    await it.pass(Promise.all(written))
    it.to.port.post(100)
    await it.pass()
    t.deepEqual(it.got(), upTo(BURST))
    t.is(it.leases(), 0)
  })

test('what is written to a stream that is closing is released', async t => {
  const it = bench()
  it.send(2 * BURST)
  await it.pass()
  const writer = toWritableStream(it.to.sink).getWriter()
  const first = writer.write(it.queue.dequeueBurst(BURST))
  const closed = writer.close()
  const late = it.queue.dequeueBurst(BURST)
  await t.throwsAsync(writer.write(late), { any: true })
  await it.pass(Promise.all([first, closed]))
  t.notThrows(() => late.release())
  t.deepEqual(it.got(), upTo(BURST))
  t.is(it.leases(), 0)
})

test('a strict sink without room fails the stream, and so do other chunks', async t => {
  const it = bench(0)
  it.send(1000)
  const strict = toWritableStream(it.to.sink, { overflow: 'strict', highWaterMark: 16 })
  await t.throwsAsync(it.pass(toReadableStream(it.queue).pipeTo(strict)), { code: 'ERR_VHOST_OVERFLOW' })
  it.to.port.post(1000)
  await it.pass()
  t.is(it.leases(), it.from.source.unseen)
  const writer = toWritableStream(it.to.sink).getWriter()
  writer.closed.catch(() => {})
  const refused = writer.write(Buffer.alloc(64) as never)
  await t.throwsAsync(it.pass(refused), { code: 'ERR_VHOST_INVALID_ARGUMENT' })
})

test('a sink that can’t be used fails the stream, not its making', async t => {
  const it = bench()
  const failure = new Error('no socket')
  it.send(BURST)
  await it.pass()
  const { sink } = it.to
  const writable = toWritableStream({
    next: sink.next.bind(sink),
    accept: sink.accept.bind(sink),
    whenDrained: sink.whenDrained.bind(sink),
    use: () => {
      throw failure
    },
  })
  const writer = writable.getWriter()
  writer.closed.catch(() => {})
  const refused = writer.write(it.queue.dequeueBurst(BURST))
  t.is(await t.throwsAsync(it.pass(refused)), failure)
  t.is(it.leases(), 0)
})
