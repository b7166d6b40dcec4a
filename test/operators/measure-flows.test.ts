// measureFlows: what it tells of which flow and when, and that nothing else changes.
import test from 'ava'
import { map, type Observable, Subject, tap } from 'rxjs'
import { TcpFlag } from '../../src/headers/index.js'
import {
  type FlowReport,
  type MeasureFlowsOptions,
  measureFlows,
  topFlows,
} from '../../src/operators/index.js'
import type { Burst } from '../../src/packet/burst.js'
import { fakeFromGuest, fakePlane, marbles, tcp, udp } from '../../src/testing/index.js'

const a = udp({ fromPort: 1 })
const b = udp({ fromPort: 2, payload: 'x'.repeat(100) })
/** `a3` is three packets of flow a; a letter behind says how its record ended. */
const told = ({ flows, ended, lost }: FlowReport): string =>
  [
    ...flows.map(({ key, packets }) => `${' ab'[key.sourcePort as number]}${packets}`),
    ...ended.map(({ key, packets, reason }) => `${' ab'[key.sourcePort as number]}${packets}${reason}`),
    ...(lost > 0 ? [`lost ${lost}`] : []),
  ].join(' ')

/** The reports of a source in virtual time, as an Observable beside the untouched stream. */
function reports(
  traffic: string,
  expected: string,
  values: Record<string, string>,
  options: MeasureFlowsOptions,
) {
  return (t: { deepEqual(x: unknown, y: unknown): void }) =>
    marbles(
      h => {
        const frames = { a: [a], b: [b], c: [a, b, a] }
        const { queue } = h.fakeQueue(traffic, { frames })
        const subject = new Subject<FlowReport>()
        h.expectObservable(subject.pipe(map(told))).toBe(expected, values)
        h.expectBursts(queue.pipe(measureFlows(subject, options)), null, {
          as: packet => packet.uint16(34),
        }).toBe(traffic, { a: [1], b: [2], c: [1, 2, 1] })
      },
      { equal: t.deepEqual },
    )
}

test(
  'reports every so often, and all is told of at the end; the stream is untouched',
  reports('-c---b-----|', '----x---y--(z|)', { x: 'b1 a2', y: 'a2 b2', z: 'a2end b2end' }, { interval: 4 }),
)
test(
  'a flow that is quiet ends, and may begin again',
  reports(
    '-c---b-----|',
    '----x---y--(z|)',
    { x: 'b1 a2', y: 'b2 a2idle', z: 'b2end' },
    { interval: 4, idleTimeout: 5 },
  ),
)
test(
  'a flow that goes on is told of as ended when it is old, and counted anew',
  reports(
    '-a-a-a-a---a-|',
    '----x---y---z(w|)',
    { x: 'a2', y: 'a4active', z: 'a1', w: 'a1end' },
    { interval: 4, activeTimeout: 5 },
  ),
)
test(
  'one flow more than there may be: the one that was quiet for longest ends',
  reports(
    '-c---b-----|',
    '----x---y--(z|)',
    { x: 'a1 a1evicted lost 1', y: 'b1 a1evicted', z: 'b1end' },
    { interval: 4, maxFlows: 1 },
  ),
)

test('a guest that makes up flows fills no memory: what is too much for a report is counted', t => {
  marbles(
    h => {
      const frames = { x: Array.from({ length: 40 }, (_, port) => udp({ fromPort: port })) }
      const { queue } = h.fakeQueue('x--|', { frames })
      const seen: number[][] = []
      h.expectBursts(
        queue.pipe(
          measureFlows(({ flows, ended, lost }) => seen.push([flows.length, ended.length, lost]), {
            interval: 2,
            maxFlows: 8,
          }),
          tap({
            complete: () =>
              t.deepEqual(seen, [
                [8, 8, 24],
                [0, 8, 0],
              ]),
          }),
        ),
        null,
        { as: () => 0 },
      ).toBe('x--|', { x: Array(40).fill(0) })
    },
    { equal: t.deepEqual },
  )
})

test('bytes, times, control bits and the key of a record, for each direction or both', t => {
  for (const directed of [true, false]) {
    const plane = fakePlane()
    const { queue, port, source } = fakeFromGuest(plane)
    const all: FlowReport[] = []
    const ends = { from: '10.0.0.9', to: '10.0.0.2', fromPort: 9, toPort: 80 }
    const answer = { from: '10.0.0.2', to: '10.0.0.9', fromPort: 80, toPort: 9 }
    for (const [i, items] of [queue as Observable<Burst>, queue.packets].entries())
      (items as Observable<Burst>)
        .pipe(measureFlows(report => all.push({ ...report, time: i }), { directed }))
        .subscribe()
    port.send(
      tcp({ ...ends, flags: 'S' }),
      tcp({ ...answer, flags: 'SA' }),
      tcp({ ...ends, flags: 'PA', payload: 'x'.repeat(46) }),
    )
    plane.loop.drain()
    source.close()
    t.deepEqual(
      all.map(({ time }) => time),
      [0, 1],
      'in both forms',
    )
    for (const { ended } of all) {
      const said = ended.map(({ key, packets, bytes, tcpFlags }) => [`${key}`, packets, bytes, tcpFlags])
      const { SYN, ACK, PSH } = TcpFlag
      t.deepEqual(
        said.sort(),
        directed
          ? [
              ['tcp 10.0.0.2:80 > 10.0.0.9:9', 1, 60, SYN | ACK],
              ['tcp 10.0.0.9:9 > 10.0.0.2:80', 2, 160, SYN | PSH | ACK],
            ]
          : [['tcp 10.0.0.9:9 > 10.0.0.2:80', 3, 220, SYN | PSH | ACK]],
      )
      for (const { first, last } of ended) t.true(first > 0 && last >= first)
    }
  }
})

test('an observer that throws fails the subscription; the end of the source comes to it', t => {
  marbles(
    h => {
      const frames = { a: [a] }
      const failing = h.fakeQueue('a---|', { frames }).queue.pipe(
        measureFlows(
          () => {
            throw new Error('observer')
          },
          { interval: 2 },
        ),
      )
      h.expectBursts(failing, null, { as: () => 0 }).toBe('a-#', { a: [0] }, new Error('observer'))
      const subject = new Subject<FlowReport>()
      h.expectObservable(subject.pipe(map(told))).toBe('----(x|)', { x: 'a1end' })
      h.fakeQueue('a---|', { frames })
        .queue.pipe(measureFlows(subject, { interval: 9 }))
        .subscribe()
    },
    { equal: t.deepEqual },
  )
})

test('the flows with most of it', t => {
  const flow = (bytes: number, packets: number) => ({ bytes, packets }) as never
  const flows = [flow(1, 9), flow(3, 7), flow(2, 8)]
  t.deepEqual(topFlows(flows, 2), [flows[1], flows[2]])
  t.deepEqual(topFlows(flows, 2, 'packets'), [flows[0], flows[2]])
})

test('a time that is none is refused', t => {
  for (const name of ['interval', 'idleTimeout', 'activeTimeout'])
    t.throws(() => measureFlows(() => {}, { [name]: 0 }), {
      instanceOf: RangeError,
      message: RegExp(`${name} is more than 0`),
    })
})
