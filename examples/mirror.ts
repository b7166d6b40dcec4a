// Forwards between two guests, and mirrors all packets to a third port. `npm start` runs this example.
//
//   npm start                                   two embedded guests, numbered frames, every byte checked, 5 s
//   npm start -- --frames 1000000               until that many frames have arrived
//   npm start -- a.sock b.sock monitor.sock     for real front ends: QEMU, testpmd, Cloud Hypervisor
import { parseArgs } from 'node:util'
import type { Overflow, VhostDriver } from 'rx-vhost'
import { enqueue, mirror } from 'rx-vhost/operators'
import { merge } from 'rxjs'
import { talk } from './demo.js'
import { demonstrate, type Pipeline, serve } from './run.js'

/** The pipeline: forwards between a and b, and mirrors both directions to the monitor. */
const mirrorBetween =
  (overflow: Overflow): Pipeline =>
  (a: VhostDriver, b: VhostDriver, monitor: VhostDriver) => {
    const copy = mirror(monitor.toGuest(), { overflow })
    return merge(
      a.fromGuest().pipe(copy, enqueue(b.toGuest())),
      b.fromGuest().pipe(copy, enqueue(a.toGuest())),
    )
  }

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    frames: { type: 'string' },
    seconds: { type: 'string', default: '5' },
    /** What happens to copies for which the monitor has no room. */
    overflow: { type: 'string' },
  },
})

if (positionals.length === 0) {
  const frames = values.frames === undefined ? undefined : Number(values.frames)
  process.exitCode = await demonstrate(['a', 'b', 'monitor'], mirrorBetween('block'), embedded =>
    talk(embedded, frames, Number(values.seconds)),
  )
} else if (positionals.length === 3) {
  serve(positionals, mirrorBetween((values.overflow ?? 'drop-newest') as Overflow))
} else {
  console.error(
    'usage: mirror [--frames N | --seconds N] | a.sock b.sock monitor.sock [--overflow block|drop-newest]',
  )
  process.exitCode = 2
}
