// Measures how fast packets are captured and replayed, on rings in memory without guest and addon. This bench is the
// last part of `npm run bench:micro`, and can run alone: `node dist/bench/capture.js [folder]`. There are no limits.
// "copy" is the cost in the packet path; "to a file" includes waiting until all packets are written (`block`).
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lastValueFrom, type Observable } from 'rxjs'
import { capture, PcapngWriter, type PcapngWriterOptions } from '../src/capture/index.js'
import { replayOn } from '../src/capture/replay.js'
import { plainPoolArrays } from '../src/data/pool/arrays.js'
import { Pool } from '../src/data/pool/pool.js'
import { SourceQueue } from '../src/data/source/source.js'
import { Scheduler } from '../src/data/turn/scheduler.js'
import { Turn } from '../src/data/turn/turn.js'
import { VhostQueue } from '../src/queue/queue.js'
import { FakePort } from '../src/testing/fake-port.js'
import { frame } from '../src/testing/frames.js'

const PACKETS = 2_000_000
const folder = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'rx-vhost-bench-'))
const path = join(folder, 'x.pcapng')
const pool = new Pool(plainPoolArrays(16 << 20), { strict: false })
const plane = { pool, scheduler: new Scheduler(), turn: new Turn() }

function print(name: string, count: number, ms: number, bytes: number): void {
  const rate = `${(count / ms / 1000).toFixed(2).padStart(6)} M frames per second`
  console.log(
    `${name.padEnd(34)} ${rate} ${((ms * 1e6) / count).toFixed(0).padStart(5)} ns per frame ${(bytes / ms / 1e3).toFixed(0).padStart(6)} MB/s`,
  )
}

async function write(name: string, length: number, count: number, to: string, options: PcapngWriterOptions) {
  rmSync(path, { force: true }) // truncating an old file would take time
  const writer = new PcapngWriter(to, options)
  const source = new SourceQueue(plane)
  const port = new FakePort(pool)
  source.attach(port)
  const began = performance.now()
  port.sendSame(frame(0, { length }), count)
  const running = new VhostQueue(source).pipe(capture(writer)).subscribe()
  while (port.waiting > 0) await new Promise(setImmediate)
  running.unsubscribe()
  await writer.finished()
  source.close()
  const { packets, drops } = writer.stats
  print(name, count, performance.now() - began, packets * (length + 44))
  if (packets < count) console.log(`  packets in the file: ${packets} (dropped ${JSON.stringify(drops)})`)
}

async function read(name: string, from: () => Observable<unknown>, count: number): Promise<void> {
  const began = performance.now()
  await lastValueFrom(from())
  print(name, count, performance.now() - began, statSync(path).size)
}

try {
  for (const round of ['warm up', 'measured']) {
    console.log(`\n${round}`)
    for (const [length, count] of [
      [64, PACKETS],
      [1514, PACKETS / 8],
    ] as const) {
      await write(`${length} bytes, copy, to /dev/null`, length, count, '/dev/null', { overflow: 'block' })
      await write(`${length} bytes, to a file`, length, count, path, { overflow: 'block' })
      await write(`${length} bytes, to a file, drop-newest`, length, count, path, {})
      await write(`${length} bytes, to a file`, length, count, path, { overflow: 'block' })
      await read(`${length} bytes, replayed`, () => replayOn(() => plane, path, { speed: Infinity }), count)
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
