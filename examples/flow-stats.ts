// Prints the flows between two guests: at intervals those with most bytes, and each flow that has ended as a line of
// JSON, like a NetFlow exporter.
//
//   node dist/examples/flow-stats.js                      two embedded guests, 1,000 packets in 10 flows
//   node dist/examples/flow-stats.js a.sock b.sock        for real front ends, until Ctrl-C
//   node dist/examples/flow-stats.js --top 5 --seconds 10 a.sock b.sock
import { parseArgs } from 'node:util'
import type { VhostDriver } from 'rx-vhost'
import { enqueue, type FlowReport, measureFlows, topFlows } from 'rx-vhost/operators'
import { udp } from 'rx-vhost/testing'
import { filter, firstValueFrom, merge, type Observable, type Observer, scan } from 'rxjs'
import { demonstrate, type Embedded, serve, until } from './run.js'

const FLOWS = 10
const PACKETS = 1000

/** Forwards between a and b, and reports the flows of each direction to `observer`. */
export function flowsBetween(
  a: VhostDriver,
  b: VhostDriver,
  observer: Pick<Observer<FlowReport>, 'next'>,
  interval: number,
): Observable<never> {
  // The end of one direction is not passed on, because the other direction may continue.
  const measured = measureFlows({ next: report => observer.next(report) }, { interval })
  return merge(
    a.fromGuest().pipe(measured, enqueue(b.toGuest())),
    b.fromGuest().pipe(measured, enqueue(a.toGuest())),
  )
}

function printReport({ flows, ended }: FlowReport, top: number): void {
  for (const { key, packets, bytes } of topFlows(flows, top))
    console.log(
      `${String(key).padEnd(50)} ${String(packets).padStart(10)} packets ${String(bytes).padStart(12)} bytes`,
    )
  for (const flow of ended) console.log(JSON.stringify(flow))
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { top: { type: 'string', default: '10' }, seconds: { type: 'string', default: '1' } },
})
const top = Number(values.top)

const reports: FlowReport[] = []

async function show({ guests: [sender, receiver] }: Embedded): Promise<void> {
  const arrived = firstValueFrom(
    receiver.frames.pipe(
      scan(count => count + 1, 0),
      filter(count => count === PACKETS),
    ),
  )
  for (let i = 0; i < PACKETS; i++) {
    const frame = udp({ fromPort: 1000 + (i % FLOWS), payload: new Uint8Array(i % FLOWS) })
    while (!sender.send(frame)) await sender.room()
  }
  await arrived
  const whole = (): FlowReport | undefined =>
    reports.findLast(({ flows }) => flows.reduce((sum, { packets }) => sum + packets, 0) === PACKETS)
  await until(() => whole() !== undefined)
  printReport(whole() as FlowReport, top)
}

if (positionals.length === 0)
  await demonstrate(
    ['a', 'b'],
    (a, b) => flowsBetween(a, b, { next: report => reports.push(report) }, 20),
    show,
  )
else if (positionals.length === 2)
  serve(
    positionals,
    (a, b) => flowsBetween(a, b, { next: report => printReport(report, top) }, Number(values.seconds) * 1000),
    { atEnd: () => {} },
  )
else {
  console.error('usage: flow-stats [--top N] [--seconds S] [a.sock b.sock]')
  process.exitCode = 2
}
