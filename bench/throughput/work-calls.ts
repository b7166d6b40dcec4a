// The jobs written with plain burst calls, as in a DPDK application. A loop works for the same time as a turn of the
// library's scheduler, then yields to the event loop.
import { TURN_MS } from '../../src/data/turn/scheduler.js'
import type { HeldBurst, VhostQueue, VhostSink } from '../../src/index.js'
import type { FrameCheck } from './frames.js'
import type { Job } from './jobs.js'

/** Number of steps between two reads of the clock. */
const STEPS = 8

export interface Ports {
  from: VhostQueue[]
  to: VhostSink[]
}

/** Returns false if there was no packet or no room. */
type Step = () => boolean

/** Starts a loop of `step`; returns a function that ends it. Counts the turns of the event loop in `turns`. */
export function loopOf(step: Step, count: { turns: number }): () => void {
  let running = true
  const turn = (): void => {
    if (!running) return
    count.turns++
    const end = performance.now() + TURN_MS
    do {
      for (let n = 0; n < STEPS; n++)
        if (!step()) {
          setImmediate(turn)
          return
        }
    } while (performance.now() < end)
    setImmediate(turn)
  }
  setImmediate(turn)
  return () => {
    running = false
  }
}

/** Returns the step of a job. `burst` holds packets between steps; the caller releases it after the loop. */
export function stepOf(
  job: Job,
  ports: Ports,
  burst: HeldBurst,
  check: FrameCheck,
  seeds: HeldBurst[],
): Step {
  const { from, to } = ports
  switch (job) {
    case 'sink':
      return sink(from[0], burst, check)
    case 'source':
      return source(to[0], seeds)
    case 'forward':
      return forward(from[0], to[1], burst)
    case 'mirror':
      return mirror(from[0], to[1], to[2], burst)
    default:
      throw new Error(`the job ${job} cannot be written with plain calls`)
  }
}

const sink =
  (from: VhostQueue, burst: HeldBurst, check: FrameCheck): Step =>
  () => {
    from.dequeueBurst(burst)
    if (burst.length === 0) return false
    check.burst(burst)
    return true
  }

function source(to: VhostSink, seeds: HeldBurst[]): Step {
  let turn = 0
  let sent = 0
  return () => {
    const burst = seeds[turn]
    const taken = to.enqueueBurst(burst, sent)
    sent += taken
    if (sent === burst.length) {
      sent = 0
      turn = (turn + 1) % seeds.length
    }
    return taken > 0
  }
}

function forward(from: VhostQueue, to: VhostSink, burst: HeldBurst): Step {
  let sent = 0
  return () => {
    if (sent === burst.length) {
      from.dequeueBurst(burst) // releases the previous packets of the burst
      sent = 0
      if (burst.length === 0) return false
    }
    const taken = to.enqueueBurst(burst, sent)
    sent += taken
    return taken > 0
  }
}

function mirror(from: VhostQueue, to: VhostSink, copies: VhostSink, burst: HeldBurst): Step {
  let sent = 0
  let copied = 0
  return () => {
    if (sent === burst.length && copied === burst.length) {
      from.dequeueBurst(burst)
      sent = 0
      copied = 0
      if (burst.length === 0) return false
    }
    const before = sent + copied
    if (copied < burst.length) copied += copies.enqueueBurst(burst, copied)
    if (sent < burst.length) sent += to.enqueueBurst(burst, sent)
    return sent + copied > before
  }
}
