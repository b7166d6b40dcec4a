// `npm run stress`: two threads on one ring, a driver and a device, wait for each other and wake each other
// (native/stress/wakeups.cc). No wake-up may be lost. It runs at full speed, and then a hundredth of it with
// ThreadSanitizer.
//   -- --iterations N    packets, half of them with the event index and half with the flags; 100 million by default
import { parseArgs } from 'node:util'
import { program, run } from './programs.mjs'

const ITERATIONS = '100000000'
/** ThreadSanitizer needs fewer packets to see a race. */
const SANITIZED_PART = 100

const { values } = parseArgs({ options: { iterations: { type: 'string', default: ITERATIONS } } })
const iterations = Number(values.iterations)
if (!Number.isSafeInteger(iterations) || iterations < 1)
  throw new Error(`--iterations ${values.iterations}: a number of packets`)

const sources = ['core', 'guest', 'stress']
run(program('build-stress', 'wakeups', sources, ['-O2']), [String(iterations)])
// ThreadSanitizer does not understand fences, which order the requests for notifications, so it checks only the data
// that the indices hand over. With it, g++ wrongly warns of array bounds in short copies.
const flags = ['-O1', '-fsanitize=thread', '-Wno-tsan', '-Wno-array-bounds']
run(program('build-tsan', 'wakeups', sources, flags), [String(Math.ceil(iterations / SANITIZED_PART))], {
  TSAN_OPTIONS: 'halt_on_error=1',
})
