// The jobs written with plain burst calls, as a DPDK application would: a loop that works for as long as the library's
// own scheduler would in a turn, and then lets the event loop have its turn.
import { TURN_MS } from '../../src/data/turn/scheduler.js'
import type { HeldBurst, VhostQueue, VhostSink } from '../../src/index.js'
import type { FrameCheck } from './frames.js'
import type { Job } from './jobs.js'

/** Bursts between two looks at the clock. */
const STEPS = 8

export interface Ports {
  from: VhostQueue[]
  to: VhostSink[]
}

/** False when there was nothing to do, or no room. */
type Step = () => boolean

/** Starts a loop of `step`; the result ends it. `turns` counts the breaths of the event loop. */
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

/** `burst` holds what is under way: it is the caller's to release when the loop has ended. */
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
      throw new Error(`${job} has no such form`)
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
      from.dequeueBurst(burst) // releases what was in it
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
