// Random pipelines for the conservation properties: stages by name, what each takes out of the traffic, and the sum that
// must come out even: in = out + dropped by reason + left out, in order.
import fc from 'fast-check'
import { type MonoTypeOperatorFunction, merge, Observable } from 'rxjs'
import { retry } from 'rxjs/operators'
import {
  drop,
  enqueue,
  filterPackets,
  mapPackets,
  measure,
  mirror,
  partitionPackets,
  processPackets,
  rebatch,
  release,
  retain,
  tapPackets,
} from '../../src/operators/index.js'
import type { Burst } from '../../src/packet/burst.js'
import type { Overflow, PacketSink } from '../../src/packet/sink.js'
import { numberOf } from '../../src/testing/index.js'

type Stage = MonoTypeOperatorFunction<Burst>

/** Where the stages of a pipeline send copies, how they wait, and what they left out without counting it. */
export interface Surroundings {
  monitor: PacketSink
  later(run: () => void): void
  filtered: Set<number>
}

const stages: Record<string, (around: Surroundings) => Stage> = {
  filter: ({ filtered }) =>
    filterPackets(packet => {
      const pass = numberOf(packet) % 3 > 0
      if (!pass) filtered.add(numberOf(packet))
      return pass
    }),
  throwing: () =>
    filterPackets(packet => {
      if (numberOf(packet) % 17 === 5) throw new Error('predicate')
      return true
    }),
  tap: () => tapPackets(() => {}),
  mirror: ({ monitor }) => mirror(monitor),
  retain: () => source => source.pipe(retain(), release()),
  map: () => mapPackets(packet => packet.setUint8(40, 1)),
  measure: () => measure(() => {}),
  rebatch: () => rebatch(3),
  partition: () => source => merge(...partitionPackets(source, packet => numberOf(packet) % 2 === 0)),
  dropping: () => source => {
    const [some, others] = partitionPackets(source, packet => numberOf(packet) % 7 === 0)
    return merge(some.pipe(drop('seventh')), others) as Observable<Burst>
  },
  process: ({ later }) =>
    processPackets(
      packet => {
        const verdict = numberOf(packet) % 11 > 0
        // No promise: it would resolve in Node's time, not in the loop's.
        return new Observable<boolean>(subscriber => later(() => subscriber.next(verdict)))
      },
      { concurrency: 4 },
    ),
}

/** Behind these, packets are on their way when what is behind them throws or ends, and are lost, as documented. */
const HOLDING = ['retain', 'rebatch', 'process']

export const stageNames = fc.array(fc.constantFrom(...Object.keys(stages)), { maxLength: 4 })
export const overflow = fc.constantFrom<Overflow>('block', 'drop-newest', 'drop-oldest')

export interface Made {
  pipeline: Observable<never>
  /** Flows whose order is kept, by a frame's number. */
  flow: (number: number) => number
}

/** A pipeline of `names`, those left out that would lose packets uncounted. */
export function pipelineOf(
  names: readonly string[],
  around: Surroundings,
  from: Observable<Burst>,
  to: PacketSink,
  how: Overflow,
): Made {
  const used = names.filter((name, i) => !HOLDING.includes(name) || !names.slice(i).includes('throwing'))
  const pipeline = used
    .reduce((source, name) => source.pipe(stages[name](around)), from)
    .pipe(enqueue(to, { overflow: how }), retry())
  return { pipeline, flow: number => (used.includes('partition') ? number % 2 : 0) }
}

export interface Outcome {
  sent: number
  received: readonly number[]
  drops: readonly Readonly<Record<string, number>>[]
  filtered: number
}

/** Throws if a packet is lost, doubled or out of order without being counted. */
export function conserved({ sent, received, drops, filtered }: Outcome, flow: Made['flow']): true {
  const dropped = drops.flatMap(counts => Object.values(counts)).reduce((sum, count) => sum + count, 0)
  const out = received.length + dropped + filtered
  if (out !== sent)
    throw new Error(
      `${sent} packets in; out: ${received.length}, left out: ${filtered}, ${JSON.stringify(drops)}`,
    )
  const last = new Map<number, number>()
  for (const number of received) {
    if (number <= (last.get(flow(number)) ?? -1)) throw new Error(`out of order: ${received}`)
    last.set(flow(number), number)
  }
  return true
}
