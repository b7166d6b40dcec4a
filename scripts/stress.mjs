// `npm run stress`: two threads on one ring, driver and device, that put each other to sleep and wake each other
// (native/stress/wakeups.cc); no wake-up may be lost. Once at full speed, and a hundredth of it under ThreadSanitizer.
//   -- --iterations N    packets, half of them with the event index and half with the flags; 100 million by default
import { parseArgs } from 'node:util'
import { program, run } from './programs.mjs'

const ITERATIONS = '100000000'
/** A sanitizer sees a race in one packet that it could see in a hundred. */
const SANITIZED_PART = 100

const { values } = parseArgs({ options: { iterations: { type: 'string', default: ITERATIONS } } })
const iterations = Number(values.iterations)
if (!Number.isSafeInteger(iterations) || iterations < 1)
  throw new Error(`--iterations ${values.iterations}: a number of packets`)

const sources = ['core', 'guest', 'stress']
run(program('build-stress', 'wakeups', sources, ['-O2']), [String(iterations)])
// ThreadSanitizer knows no fences, which order the wishes; what the indices hand over is its part. With it, g++ warns of
// bounds in copies that no short length reaches.
const flags = ['-O1', '-fsanitize=thread', '-Wno-tsan', '-Wno-array-bounds']
run(program('build-tsan', 'wakeups', sources, flags), [String(Math.ceil(iterations / SANITIZED_PART))], {
  TSAN_OPTIONS: 'halt_on_error=1',
})
