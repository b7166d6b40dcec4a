// B2: whatever is sent in whatever order, and whatever native code answers, the session neither throws, nor touches the
// state that it had, nor asks two things at once, and every fd ends in exactly one place.
import test from 'ava'
import fc from 'fast-check'
import { fdsOf } from '../../src/control/asks.js'
import {
  encodeMemoryTable,
  encodeU64,
  encodeVringAddresses,
  encodeVringState,
} from '../../src/control/codec.js'
import { net } from '../../src/control/kinds/net.js'
import { initialState, isAsk, isPending, step } from '../../src/control/session.js'
import type { Effect, Input, Message, State } from '../../src/control/types.js'
import { frozen, otherRegion, region, regionPayload, usualFeatures, words } from './front-end.js'
import { byNumber } from './refused.js'

type Sent = Omit<Message, 'fds'> & { fdCount: number }

const index = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(0, 1, 0, 1, 2, 3, 5) },
  { weight: 1, arbitrary: fc.nat(0xffffffff) },
)
const flags = fc.oneof({ weight: 9, arbitrary: fc.constantFrom(1, 9) }, { weight: 1, arbitrary: fc.nat(15) })
const state = (value: fc.Arbitrary<number>) =>
  fc.tuple(index, value).map(([i, v]) => encodeVringState({ index: i, value: v }))
const at = (i: number, part: number) => region.user + BigInt(i * 0x10000 + part)

/** Messages that mean something, most of the time, so that rings do get to run. */
const sensible = fc.oneof(
  fc.record({ request: fc.constantFrom(1, 3, 4, 15, 17, 40), payload: fc.constant(new Uint8Array()) }),
  fc.record({
    request: fc.constant(2),
    payload: fc.constantFrom(usualFeatures, net.features, 0n, 1n << 32n).map(encodeU64),
  }),
  fc.record({
    request: fc.constant(16),
    payload: fc.constantFrom(net.protocolFeatures, 8n).map(encodeU64),
  }),
  fc.record({ request: fc.constant(39), payload: fc.constantFrom(0n, 11n, 15n).map(encodeU64) }),
  fc.record({
    request: fc.constant(5),
    payload: fc.constantFrom([region], [otherRegion], [region, otherRegion]).map(encodeMemoryTable),
  }),
  fc.record({
    request: fc.constantFrom(37, 38),
    payload: fc.constantFrom(region, otherRegion).map(regionPayload),
  }),
  fc.record({
    request: fc.constant(6),
    payload: fc.constantFrom(0x6000n, 0n).map(size => words(size, 0n)),
  }),
  fc.record({ request: fc.constantFrom(19, 20), payload: fc.constantFrom(1500n, 0n).map(encodeU64) }),
  fc.record({ request: fc.constantFrom(7, 21, 34, 36), payload: fc.constant(new Uint8Array()) }),
  fc.record({ request: fc.constant(8), payload: state(fc.constantFrom(64, 256, 3)) }),
  fc.record({ request: fc.constantFrom(10, 11), payload: state(fc.nat(0xffff)) }),
  fc.record({ request: fc.constant(18), payload: state(fc.constantFrom(0, 1)) }),
  fc.record({
    request: fc.constantFrom(12, 13, 14),
    payload: fc.constantFrom(0n, 1n, 2n, 0x100n, 0x103n).map(encodeU64),
  }),
  fc.record({
    request: fc.constant(9),
    payload: fc
      .tuple(fc.constantFrom(0, 1, 2, 3), fc.constantFrom(0, 0, 0xff000), fc.nat(1))
      .map(([i, shift, flags]) =>
        encodeVringAddresses(i, {
          flags,
          descriptors: at(i, shift),
          available: at(i, 0x4000),
          used: at(i, 0x6000),
          log: 0n,
        }),
      ),
  }),
)
const garbage = fc.record({ request: fc.nat(50), payload: fc.uint8Array({ maxLength: 64 }) })
const sent: fc.Arbitrary<Sent> = fc
  .tuple(
    fc.oneof({ weight: 9, arbitrary: sensible }, { weight: 1, arbitrary: garbage }),
    // Mostly with NEED_REPLY: a refusal without it ends the session.
    flags,
    fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.nat(3) }),
  )
  .map(([message, f, count]) => ({ ...message, flags: f | 8, fdCount: count ?? usualFds(message) }))

function usualFds({ request, payload }: { request: number; payload: Uint8Array }): number {
  if (request === 5) return payload[0]
  if ([6, 7, 21, 37].includes(request)) return 1
  return request >= 12 && request <= 14 && payload[1] === 0 ? 1 : 0
}

const row = (request: number, payload: Uint8Array): Sent => ({
  request,
  payload,
  flags: 9,
  fdCount: usualFds({ request, payload }),
})
/** Half of the runs begin with two rings at work. */
const workingRings: Sent[] = [
  row(2, encodeU64(usualFeatures)),
  row(5, encodeMemoryTable([region])),
  ...[0, 1].flatMap(i => [
    row(8, encodeVringState({ index: i, value: 256 })),
    row(
      9,
      encodeVringAddresses(i, {
        flags: 0,
        descriptors: at(i, 0),
        available: at(i, 0x4000),
        used: at(i, 0x6000),
        log: 0n,
      }),
    ),
    row(12, encodeU64(BigInt(i))),
    row(18, encodeVringState({ index: i, value: 1 })),
  ]),
]

const other = fc.oneof(
  fc.record({
    kind: fc.constant('ring-fault' as const),
    ring: fc.nat(3),
    reason: fc.constantFrom('chain_loop', 'mem_not_shared', 'memory_revoked'),
  }),
  fc.constant({ kind: 'memory-fault' as const }),
  fc.constant({ kind: 'deadline' as const }),
  fc.constant({ kind: 'result' as const, value: 0 }),
)
const outcome = fc.record({
  fails: fc.integer({ min: 0, max: 9 }).map(n => n === 0),
  lost: fc.constantFrom([], [], [], [1], [0, 7]),
  /** An input that comes before the result does. */
  interrupts: fc.integer({ min: 0, max: 9 }).map(n => n === 0),
  /** The connection ends before the result comes. */
  ends: fc.integer({ min: 0, max: 99 }).map(n => n === 0),
})

test('B2: random sequences of requests, faults and results', t => {
  let everRan = 0
  fc.assert(
    fc.property(
      fc.array(fc.oneof({ weight: 20, arbitrary: sent }, { weight: 1, arbitrary: other }), { maxLength: 50 }),
      fc.infiniteStream(outcome),
      fc.boolean(),
      (random, outcomes, working) => {
        const inputs = working ? [...workingRings, ...random] : random
        let session: State = initialState({ queuePairs: 3 })
        let fds = 1
        const gone: number[] = []
        let asked: Effect | undefined

        const feed = (input: Input) => {
          const wasPending = isPending(session)
          const { state: next, effects } = step(frozen(session), input)
          const mayAct = input.kind === 'result' || input.kind === 'hang-up'
          if (wasPending && !mayAct && effects.length > 0) throw new Error('acts while it waits')
          session = next
          const asks = effects.filter(isAsk)
          if (asks.length > 1 || (asks.length === 1 && asks[0] !== effects.at(-1)))
            throw new Error('more than one ask, or one that is not the last effect')
          if (asks.length > 0 !== (isPending(session) && asks.length > 0))
            throw new Error('asks without waiting')
          if (asks.length === 1) asked = asks[0]
          for (const effect of effects) {
            if (effect.kind === 'close-fds') gone.push(...effect.fds)
            else if (isAsk(effect)) gone.push(...fdsOf(effect))
          }
          everRan += session.rings.every(ring => ring.running) ? 1 : 0
        }
        const inputOf = (item: Sent | Input): Input => {
          if ('kind' in item) return item
          const { fdCount, ...message } = item
          return {
            kind: 'message',
            message: { ...message, fds: Array.from({ length: fdCount }, () => fds++) },
          }
        }

        for (const item of inputs) {
          feed(inputOf(item))
          while (isPending(session)) {
            const { fails, lost, interrupts, ends } = outcomes.next().value
            if (interrupts)
              feed({
                kind: 'message',
                message: { request: 1, flags: 1, payload: new Uint8Array(), fds: [fds++] },
              })
            if (ends) feed({ kind: 'hang-up', reason: 'hang_up' })
            const stop = asked?.kind === 'stop-ring'
            feed(
              fails
                ? { kind: 'result', value: stop ? -1 : -11, reason: 'vq_addr' }
                : { kind: 'result', value: stop ? 7 : 0, lost },
            )
          }
        }
        feed({ kind: 'hang-up', reason: 'hang_up' })
        const all = Array.from({ length: fds - 1 }, (_, i) => i + 1)
        t.deepEqual(gone.toSorted(byNumber), all)
        t.false(session.rings.some(ring => ring.running))
      },
    ),
    { numRuns: 2000 },
  )
  t.true(everRan > 0, 'some sequences bring both rings up')
})
