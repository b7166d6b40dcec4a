// Two guests talk, and all they say goes into a pcapng file that Wireshark opens: an interface for each guest, both
// directions. Then, without sockets of real guests, the file is replayed and compared.
//
//   node dist/examples/capture.js                            two embedded guests, 20,000 frames, replayed to a third
//   node dist/examples/capture.js --file vm.pcapng a.sock b.sock        for real front ends, until Ctrl-C
//   node dist/examples/capture.js --ring 5 --megabytes 100 --file …     the last five files of 100 MB
//   node dist/examples/capture.js --stream a.sock b.sock | tshark -i -  live
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as later } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { VhostDriver } from 'rx-vhost'
import { capture, PcapngWriter, replay } from 'rx-vhost/capture'
import { GuestPort } from 'rx-vhost/guest'
import { enqueue } from 'rx-vhost/operators'
import { lastValueFrom, merge, type Observable } from 'rxjs'
import { onEnd } from './ports.js'

const FRAMES = 20_000
const DEADLINE_MS = 10_000

/** a ⇄ b, and all of it into the capture: what a guest sent is inbound, what it gets outbound. */
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

if (positionals.length === 0) await demonstrate()
else if (positionals.length === 2) serve(positionals)
else {
  console.error('usage: capture [--file F [--ring N --megabytes N] | --stream] [a.sock b.sock]')
  process.exitCode = 2
}

function serve(paths: string[]): void {
  const ring = values.ring === undefined ? undefined : Number(values.ring)
  const rotate = ring === undefined ? undefined : { bytes: Number(values.megabytes) * 1e6 }
  const writer = new PcapngWriter(values.stream ? process.stdout : values.file, { rotate, ring })
  // Standard output may be the capture.
  writer.events.subscribe(event =>
    console.error(event.type, event.type === 'failed' ? event.error.message : event.path),
  )
  const [a, b] = paths.map(path => new VhostDriver(path))
  for (const { events } of [a, b]) events.subscribe(event => console.error(event.type, event.path))
  const running = captureBetween(a, b, writer).subscribe({
    error: error => {
      console.error(error.message)
      process.exitCode = 1
    },
  })
  onEnd(async () => {
    running.unsubscribe()
    await writer.finished()
    console.error(JSON.stringify(writer.stats))
  })
}

async function demonstrate(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-'))
  const file = join(folder, 'demo.pcapng')
  const [a, b, c] = ['a', 'b', 'c'].map(name => new VhostDriver(join(folder, `${name}.sock`)))
  const guests = [a, b, c].map(({ path }) => new GuestPort(path))
  const writer = new PcapngWriter(file, { overflow: 'block' })
  const open = c.subscribe()
  const running = captureBetween(a, b, writer).subscribe()
  try {
    await Promise.all(guests.map(guest => guest.connect()))
    for (const guest of guests.slice(1)) guest.check()
    await guests[0].generate({ frames: FRAMES, length: [64, 1514] })
    await guests[1].whenReceived(FRAMES)
    running.unsubscribe()
    await writer.finished()
    console.log(`captured ${writer.stats.packets}, dropped ${JSON.stringify(writer.stats.drops)}`)
    // Each frame is in the file twice: as it left a, and as it went to b.
    await lastValueFrom(replay(file, { speed: Infinity }).pipe(enqueue(c.toGuest())), {
      defaultValue: undefined,
    })
    // The last frame is in the file twice, too: wait for its second.
    const all = () => guests[2].report.received + guests[2].report.duplicated === 2 * FRAMES
    for (const end = Date.now() + DEADLINE_MS; !all() && Date.now() < end; ) await later(1)
    const { report } = guests[2]
    console.log(`replayed ${report.received + report.duplicated}, corrupted ${report.corrupted}`)
    process.exitCode = report.lost + report.corrupted === 0 ? 0 : 1
  } finally {
    for (const guest of guests) guest.close()
    running.unsubscribe()
    open.unsubscribe()
    rmSync(folder, { recursive: true, force: true })
  }
}
