// Records the packets of two guests in a pcapng file, which Wireshark can open. The file has one interface per guest,
// with both directions. With embedded guests, the file is then replayed to a third guest, which checks it.
//
//   node dist/examples/capture.js                            two embedded guests, 20,000 frames, replayed to a third
//   node dist/examples/capture.js --file vm.pcapng a.sock b.sock        for real front ends, until Ctrl-C
//   node dist/examples/capture.js --ring 5 --megabytes 100 --file …     the last five files of 100 MB
//   node dist/examples/capture.js --stream a.sock b.sock | tshark -i -  live
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { VhostDriver } from 'rx-vhost'
import { capture, PcapngWriter, replay } from 'rx-vhost/capture'
import { enqueue } from 'rx-vhost/operators'
import { lastValueFrom, merge, type Observable } from 'rxjs'
import { demonstrate, type Embedded, serve, until } from './run.js'

const FRAMES = 20_000

/** Forwards between a and b, and captures all packets: those from a guest as inbound, those to a guest as outbound. */
export function captureBetween(a: VhostDriver, b: VhostDriver, writer: PcapngWriter): Observable<never> {
  const seen = (name: string, direction: 'inbound' | 'outbound') => capture(writer, { name, direction })
  return merge(
    a.fromGuest().pipe(seen('a', 'inbound'), seen('b', 'outbound'), enqueue(b.toGuest())),
    b.fromGuest().pipe(seen('b', 'inbound'), seen('a', 'outbound'), enqueue(a.toGuest())),
  )
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    file: { type: 'string', default: 'capture.pcapng' },
    stream: { type: 'boolean', default: false },
    ring: { type: 'string' },
    megabytes: { type: 'string', default: '100' },
  },
})

function serveInto(writer: PcapngWriter): void {
  // Standard output may be the capture, so messages go to standard error.
  writer.events.subscribe(event =>
    console.error(event.type, event.type === 'failed' ? event.error.message : event.path),
  )
  const atEnd = async (): Promise<void> => {
    await writer.finished()
    console.error(JSON.stringify(writer.stats))
  }
  serve(positionals, (a, b) => captureBetween(a, b, writer), { atEnd, log: console.error })
}

/** Captures the packets of two guests, then sends the file to a third guest. */
async function show({ drivers: [a, b, c], guests: [sender, receiver, third], folder }: Embedded) {
  const file = join(folder, 'demo.pcapng')
  const writer = new PcapngWriter(file, { overflow: 'block' })
  const running = captureBetween(a, b, writer).subscribe()
  for (const guest of [receiver, third]) guest.check()
  await sender.generate({ frames: FRAMES, length: [64, 1514] })
  await receiver.whenReceived(FRAMES)
  running.unsubscribe()
  await writer.finished()
  console.log(`captured ${writer.stats.packets}, dropped ${JSON.stringify(writer.stats.drops)}`)
  // The file has each frame twice: once from a, once to b.
  await lastValueFrom(replay(file, { speed: Infinity }).pipe(enqueue(c.toGuest())), {
    defaultValue: undefined,
  })
  const replayed = (): number => third.report.received + third.report.duplicated
  await until(() => replayed() === 2 * FRAMES)
  console.log(`replayed ${replayed()}, corrupted ${third.report.corrupted}`)
  process.exitCode = third.report.lost + third.report.corrupted === 0 ? 0 : 1
}

if (positionals.length === 0) await demonstrate(['a', 'b', 'c'], (...drivers) => merge(...drivers), show)
else if (positionals.length === 2) {
  const ring = values.ring === undefined ? undefined : Number(values.ring)
  const rotate = ring === undefined ? undefined : { bytes: Number(values.megabytes) * 1e6 }
  serveInto(new PcapngWriter(values.stream ? process.stdout : values.file, { rotate, ring }))
} else {
  console.error('usage: capture [--file F [--ring N --megabytes N] | --stream] [a.sock b.sock]')
  process.exitCode = 2
}
