// Tests a slow asynchronous consumer with full-rate traffic: two embedded guests send to each other as fast as the
// rings allow. One direction passes retain(), concatMap() with promises that take a millisecond, and release(). The
// other passes processPackets(). `--ways` selects other ways, for example Node streams. No packet may be lost,
// reordered or altered, and memory after a garbage collection must not grow. `npm run soak` takes ten minutes;
// test/risks/slow-consumer.test.ts is shorter.
//
//   node dist/bench/soak.js [--seconds 600] [--ways 'for await;pipeline()']
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { TransformStream } from 'node:stream/web'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { concatMap, merge, Observable, type OperatorFunction } from 'rxjs'
import { dataPlane } from '../src/data/env.js'
import { GuestPort } from '../src/guest/index.js'
import { type Burst, type HeldBurst, VhostDriver, type VhostSink } from '../src/index.js'
import { enqueue, processPackets, release, retain } from '../src/operators/index.js'
import {
  toAsyncIterable,
  toReadable,
  toReadableStream,
  toWritable,
  toWritableStream,
} from '../src/streams/index.js'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    ways: { type: 'string', default: 'retain, concatMap;processPackets' },
  },
})
const SECONDS = Number(values.seconds)
/** After this part of the time, the memory is measured, to compare it with the memory at the end. */
const WARM = 0.4
const MARKS = 20
const LIMIT = { heap: 4, resident: 24 } // MiB; more than the noise of the collector, far less than leaked packets

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** Delays each burst by a millisecond, one burst at a time. */
const slowly = (): OperatorFunction<Burst, Burst> => source =>
  source.pipe(
    retain(),
    concatMap(async held => {
      await pause(1)
      return held
    }),
    release(),
  )

interface Way {
  name: string
  from: GuestPort
  to: GuestPort
  driver: VhostDriver
  sink: VhostSink
  run(source: VhostDriver, sink: VhostSink): Observable<never>
}

const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-soak-'))
const drivers = ['a', 'b'].map(name => new VhostDriver(join(folder, `${name}.sock`)))
const guests = drivers.map(({ path }, n) => new GuestPort(path, { mac: `02:00:00:00:00:0${n + 1}` }))
const way = (name: string, from: number, run: Way['run']): Way => ({
  name,
  from: guests[from],
  to: guests[1 - from],
  driver: drivers[from],
  sink: drivers[1 - from].toGuest(),
  run,
})

/** Makes an Observable of a way that is not an Observable and ends when its signal is aborted. */
const bridge =
  (run: (source: VhostDriver, sink: VhostSink, signal: AbortSignal) => Promise<void>): Way['run'] =>
  (source, sink) =>
    new Observable(subscriber => {
      const stop = new AbortController()
      run(source, sink, stop.signal).catch(error => subscriber.error(error))
      return () => stop.abort()
    })

const runs: Record<string, Way['run']> = {
  'retain, concatMap': (source, sink) => source.fromGuest().pipe(slowly(), enqueue(sink)),
  processPackets: (source, sink) =>
    source.fromGuest().pipe(
      processPackets(() => pause(1), { concurrency: 32 }),
      enqueue(sink),
    ),
  'for await': bridge(async (source, sink, signal) => {
    for await (const burst of toAsyncIterable(source.fromGuest(), { signal })) {
      await pause(1)
      for (let at = 0; at < burst.length; at += sink.enqueueBurst(burst, at)) await pause(0)
      burst.release()
    }
  }),
  'pipeline()': bridge((source, sink, signal) =>
    pipeline(
      toReadable(source.fromGuest()),
      new PassThrough({
        objectMode: true,
        transform: (burst, _, done) => void setTimeout(() => done(null, burst), 1),
      }),
      toWritable(sink),
      { signal },
    ),
  ),
  'pipeTo()': bridge((source, sink, signal) => {
    const late = new TransformStream<HeldBurst, HeldBurst>({
      async transform(burst, controller) {
        await pause(1)
        controller.enqueue(burst)
      },
    })
    return toReadableStream(source.fromGuest())
      .pipeThrough(late, { signal })
      .pipeTo(toWritableStream(sink), { signal })
  }),
}
const ways = values.ways.split(';').map((name, from) => way(name, from, runs[name]))

interface Memory {
  heap: number
  resident: number
}

function memory(): Memory {
  collect()
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage()
  return { heap: (heapUsed + arrayBuffers) / 2 ** 20, resident: rss / 2 ** 20 }
}

async function soak(): Promise<boolean> {
  // Subscribe to the drivers too, because a bridge subscribes only when it reads for the first time.
  const running = merge<unknown[]>(
    ...drivers,
    ...ways.map(({ run, driver, sink }) => run(driver, sink)),
  ).subscribe()
  try {
    await Promise.all(guests.map(guest => guest.connect()))
    for (const guest of guests) guest.check()
    const enough = new AbortController()
    const sent = Promise.all(
      ways.map(({ from }, n) => from.generate({ length: [64, 1514], source: n + 1, signal: enough.signal })),
    )
    const [warm, end] = await watch()
    enough.abort()
    return await summary(await sent, warm, end)
  } finally {
    for (const guest of guests) guest.close()
    running.unsubscribe()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Measures memory at regular times. Returns the minimum after the warm-up and the minimum at the end. */
async function watch(): Promise<[Memory, Memory]> {
  const marks: Memory[] = []
  for (let n = 0; n < MARKS; n++) {
    await pause((SECONDS * 1000) / MARKS)
    const now = memory()
    marks.push(now)
    const received = guests.map(guest => guest.report.received).join(' and ')
    console.log(
      `${(((n + 1) * SECONDS) / MARKS).toFixed(0)} s: ${received} received, heap ${now.heap.toFixed(1)} MiB, resident ${now.resident.toFixed(1)} MiB`,
    )
  }
  const from = Math.floor(WARM * MARKS)
  return [lowest(marks.slice(from, from + 3)), lowest(marks.slice(-3))]
}

function lowest(marks: Memory[]): Memory {
  return {
    heap: Math.min(...marks.map(({ heap }) => heap)),
    resident: Math.min(...marks.map(({ resident }) => resident)),
  }
}

async function summary(sent: number[], warm: Memory, end: Memory): Promise<boolean> {
  const reports = await Promise.all(ways.map(({ to }, n) => to.whenReceived(sent[n])))
  const counts = ways.map(({ name, driver, sink }, n) => {
    const { received, lost, reordered, duplicated, corrupted, foreign } = reports[n]
    const dropped = { ...driver.fromGuest().stats.drops, ...sink.stats.drops }
    return { name, sent: sent[n], received, lost, reordered, duplicated, corrupted, foreign, dropped }
  })
  const grown = { heap: end.heap - warm.heap, resident: end.resident - warm.resident }
  const { leases } = dataPlane().pool
  console.log(`result ${JSON.stringify({ ways: counts, leases, warm, end, grown })}`)
  const intact = counts.every(
    ({ sent, received, lost, reordered, duplicated, corrupted, foreign, dropped }) =>
      sent === received &&
      lost + reordered + duplicated + corrupted + foreign === 0 &&
      Object.keys(dropped).length === 0,
  )
  return intact && leases === 0 && grown.heap < LIMIT.heap && grown.resident < LIMIT.resident
}

process.exitCode = (await soak()) ? 0 : 1
