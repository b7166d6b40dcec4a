// Forwards between two guests with the plain calls dequeueBurst() and enqueueBurst(), without a pipeline, as a DPDK
// application does with rte_vhost_dequeue_burst and rte_vhost_enqueue_burst. The loop yields to the event loop.
//
//   node dist/examples/forward.js a.sock b.sock
import { type HeldBurst, VhostDriver, type VhostQueue, type VhostSink } from 'rx-vhost'
import { Subscription } from 'rxjs'
import { narrate, onEnd, reportFaults, summarize } from './run.js'

/** One direction: the current burst, and the number of its packets that the receiver has taken. */
interface Way {
  from: VhostQueue
  to: VhostSink
  burst: HeldBurst
  sent: number
}

/** Moves one burst. Returns false if there was nothing to move, or no room. */
function forwardBurst(way: Way): boolean {
  if (way.sent === way.burst.length) {
    way.from.dequeueBurst(way.burst) // also releases its former packets
    way.sent = 0
  }
  const taken = way.to.enqueueBurst(way.burst, way.sent)
  way.sent += taken
  return taken > 0
}

const paths = process.argv.slice(2)
if (paths.length !== 2) {
  console.error('usage: forward a.sock b.sock')
  process.exit(2)
}
const drivers = paths.map(path => new VhostDriver(path))
const [a, b] = drivers
const ports = drivers.map(driver => ({ driver, sink: driver.toGuest() }))
const way = (from: VhostDriver, to: VhostSink): Way => {
  const queue = from.fromGuest()
  return { from: queue, to, burst: queue.createBurst(32), sent: 0 }
}
const ways = [way(a, ports[1].sink), way(b, ports[0].sink)]
const all = new Subscription()
let running = true
onEnd(() => {
  running = false
  for (const { burst } of ways) burst.release()
  all.unsubscribe()
  console.log(JSON.stringify(summarize(ports)))
})
for (const driver of drivers) narrate(driver)
for (const driver of drivers) all.add(reportFaults(driver))

function loop(): void {
  if (!running) return
  for (let more = true, n = 0; more && n < 16; n++) {
    more = false
    for (const way of ways) more = forwardBurst(way) || more
  }
  setImmediate(loop)
}

loop()
