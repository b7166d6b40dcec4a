// Run by the interop test with a limit on the size of files: captures until the disk is full, and goes on.
import { existsSync, statSync } from 'node:fs'
import { CHUNK_BYTES } from '../../src/capture/chunk.js'
import { capture, PcapngWriter } from '../../src/capture/index.js'
import { bench } from '../operators/bench.js'

const COUNT = 10_000
/** More than a chunk. */
const FIRST = 2500
let reason: string | undefined
const writer = new PcapngWriter(process.argv[2], {
  onEvent: event => {
    if (event.type === 'failed') reason = event.error.reason
  },
})
const { queue, run } = bench()
let passed = 0
const running = queue.pipe(capture(writer)).subscribe(burst => {
  passed += burst.length
})
run(FIRST)
// The first chunk is written; what comes then is too much.
while (!existsSync(process.argv[2]) || statSync(process.argv[2]).size < CHUNK_BYTES / 2)
  await new Promise(setImmediate)
run(COUNT - FIRST)
running.unsubscribe()
await writer.finished()
console.log(JSON.stringify({ passed, captured: writer.stats.packets, reason }))
