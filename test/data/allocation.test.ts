// What a burst pipeline allocates per packet, in a process of its own.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

const pipelines: Record<string, number> = {
  'filterPackets, mirror, enqueue': 2,
  'mapPackets, enqueue': 2,
  'mapPackets in place, tapPackets, enqueue': 2,
  'headers read and written, enqueue': 2,
  'rewrite, enqueue': 2,
  'rewrite by a function in place, enqueue': 2,
  'rateLimit that drops, enqueue': 2,
  'sample by flow, sample by chance, enqueue': 2,
  // In real time: a second, or more, with a timer of 1,200 bytes each millisecond. A double for each packet would be 16.
  'rateLimit that waits, enqueue': 8,
  'impair, enqueue': 8,
  // A measurement is an object a burst.
  'rebatch, measure, enqueue': 4,
  'groupByFlow, enqueue': 2,
  // A handle for the part of each sink.
  roundRobin: 4,
  hashTo: 2,
  'route, flooding': 2,
  'firewall, enqueue': 2,
  'firewall with connections, enqueue': 2,
  'measureFlows, enqueue': 2,
  'partitionPackets, enqueue, drop': 4,
  // Times are doubles, boxed a few times a burst; a write is some objects for 2,400 packets.
  'capture, enqueue': 4,
  'capture with a filter, enqueue': 4,
  'capture into a stream, enqueue': 8,
  // Five objects a burst.
  detach: 8,
  // Beyond 256 bytes Buffer.copy is four times as fast as a loop, and on Node 20 makes a view for each, of some 100 bytes.
  'detach, frames of 1,514 bytes': 128,
  'processPackets at once, enqueue': 4,
}

for (const [name, most] of Object.entries(pipelines)) {
  test.serial(`${name}: at most ${most} bytes a packet over a million`, async t => {
    const child = fileURLToPath(new URL('./allocation-child.js', import.meta.url))
    const { RX_VHOST_LEASES: _, ...env } = process.env
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--expose-gc', child, name, String(most)],
      {
        env,
      },
    )
    const { packets, bytes } = JSON.parse(stdout) as { packets: number; bytes: number }
    t.log(`${(bytes / packets).toFixed(2)} bytes a packet`)
    t.is(packets, 1_000_000)
    t.true(bytes <= most * packets, `${bytes / packets} bytes a packet`)
  })
}
