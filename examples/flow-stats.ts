// Who talks to whom, and how much: two guests talk, and the flows with most bytes are printed every so often, those that
// ended as one line of JSON each, as a NetFlow exporter would tell of them.
//
//   node dist/examples/flow-stats.js                      two embedded guests, 1,000 packets in 10 flows
//   node dist/examples/flow-stats.js a.sock b.sock        for real front ends, until Ctrl-C
//   node dist/examples/flow-stats.js --top 5 --seconds 10 a.sock b.sock
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { VhostDriver } from 'rx-vhost'
import { GuestPort } from 'rx-vhost/guest'
import { enqueue, type FlowReport, measureFlows, topFlows } from 'rx-vhost/operators'
import { udp } from 'rx-vhost/testing'
import { filter, firstValueFrom, merge, type Observable, type Observer, scan } from 'rxjs'
import { narrate, onEnd } from './ports.js'

const FLOWS = 10
const PACKETS = 1000

/** a ⇄ b; what passed of each flow goes to `observer`, for either direction by itself. */
export function flowsBetween(
  a: VhostDriver,
  b: VhostDriver,
  observer: Pick<Observer<FlowReport>, 'next'>,
  interval: number,
): Observable<never> {
  // Not its end: the other direction may go on.
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

if (positionals.length === 0) await demonstrate()
else if (positionals.length === 2) serve(positionals)
else {
  console.error('usage: flow-stats [--top N] [--seconds S] [a.sock b.sock]')
  process.exitCode = 2
}

function serve(paths: string[]): void {
  const [a, b] = paths.map(path => new VhostDriver(path))
  for (const driver of [a, b]) narrate(driver)
  const observer = { next: (report: FlowReport) => printReport(report, top) }
  const running = flowsBetween(a, b, observer, Number(values.seconds) * 1000).subscribe({
    error: error => {
      console.error(error.message)
      process.exitCode = 1
    },
  })
  onEnd(() => running.unsubscribe())
}

async function demonstrate(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-'))
  const [a, b] = ['a', 'b'].map(name => new VhostDriver(join(folder, `${name}.sock`)))
  const reports: FlowReport[] = []
  const running = flowsBetween(a, b, { next: report => reports.push(report) }, 20).subscribe()
  const guests = [a, b].map(({ path }) => new GuestPort(path))
  try {
    await Promise.all(guests.map(guest => guest.connect()))
    const arrived = firstValueFrom(
      guests[1].frames.pipe(
        scan(count => count + 1, 0),
        filter(count => count === PACKETS),
      ),
    )
    for (let i = 0; i < PACKETS; i++) {
      const frame = udp({ fromPort: 1000 + (i % FLOWS), payload: new Uint8Array(i % FLOWS) })
      while (!guests[0].send(frame)) await guests[0].room()
    }
    await arrived
    const seen = (): FlowReport | undefined =>
      reports.findLast(({ flows }) => flows.reduce((sum, { packets }) => sum + packets, 0) === PACKETS)
    while (seen() === undefined) await new Promise(resolve => setTimeout(resolve, 1))
    printReport(seen() as FlowReport, top)
  } finally {
    for (const guest of guests) guest.close()
    running.unsubscribe()
    rmSync(folder, { recursive: true, force: true })
  }
}
