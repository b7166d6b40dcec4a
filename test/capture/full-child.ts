// Run by the interop test with a limit on the size of files: captures until the disk is full, and goes on.
import { capture, PcapngWriter } from '../../src/capture/index.js'
import { bench } from '../operators/bench.js'

const COUNT = 10_000
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
for (let i = 0; i < COUNT; i += 1000) {
  run(1000)
  await new Promise(resolve => setTimeout(resolve, 20)) // a chunk may be written
}
running.unsubscribe()
await writer.finished()
console.log(JSON.stringify({ passed, captured: writer.stats.packets, reason }))
