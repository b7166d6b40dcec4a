// A learning switch between any number of guests. A guest that posts no buffers loses only its own traffic: each port
// queues a limited number of packets, and drops the newest ones beyond that. If a front end reports that its guest has
// migrated here, the guest is reachable at once; if a guest leaves, its addresses are forgotten.
//
//   node dist/examples/switch.js a.sock b.sock c.sock
//   node dist/examples/switch.js --socket-path=a.sock            QEMU's conventions for back-end programs
//   node dist/examples/switch.js --fd=3
//   node dist/examples/switch.js --print-capabilities
import { parseArgs } from 'node:util'
import { VhostDriver, type VhostDriverOptions } from 'rx-vhost'
import { ForwardingTable, route } from 'rx-vhost/operators'
import { defer, merge, retry, Subscription, timer } from 'rxjs'
import { narrate, onEnd, type Port, reportFaults, summarize } from './run.js'

/** Packets that are queued for a port whose guest has posted no buffers. */
const KEPT_PER_PORT = 256
/** Milliseconds before a port that failed is opened again. */
const RETRY_MS = 1000

/** Connects the ports; subscribe to run it. A port that fails is reported and opened again, and the others continue. */
export function learningSwitch(ports: readonly Port[], table = new ForwardingTable()) {
  const told = (path: string) => (error: Error) => {
    console.error(`${path}: ${error.message}; again in ${RETRY_MS} ms`)
    return timer(RETRY_MS)
  }
  return merge(
    ...ports.map(({ driver, sink }) =>
      defer(() => driver.fromGuest().pipe(route(table, sink))).pipe(retry({ delay: told(driver.path) })),
    ),
  )
}

export function makePort(path: string, options?: VhostDriverOptions): Port {
  const driver = new VhostDriver(path, options)
  return { driver, sink: driver.toGuest({ overflow: 'drop-newest', highWaterMark: KEPT_PER_PORT }) }
}

function main(): void {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      'socket-path': { type: 'string' },
      fd: { type: 'string' },
      'print-capabilities': { type: 'boolean' },
    },
  })
  if (values['print-capabilities']) {
    console.log(JSON.stringify({ type: 'net' }))
    return
  }
  if (values['socket-path'] !== undefined && values.fd !== undefined)
    fail('--socket-path and --fd exclude each other')
  const paths = values['socket-path'] === undefined ? positionals : [values['socket-path'], ...positionals]
  const ports = paths.map(path => makePort(path))
  if (values.fd !== undefined) ports.unshift(makePort(`fd:${values.fd}`, { fd: Number(values.fd) }))
  if (ports.length === 0) fail('usage: switch [--socket-path=PATH | --fd=N] [PATH…]')
  const all = new Subscription()
  // The handlers are set before anything listens, because a reader of "listening" may end this process at once.
  onEnd(() => {
    all.unsubscribe()
    console.log(JSON.stringify(summarize(ports)))
  })
  for (const { driver } of ports) narrate(driver)
  all.add(learningSwitch(ports).subscribe())
  for (const { driver } of ports) all.add(reportFaults(driver))
}

function fail(message: string): never {
  console.error(message)
  process.exit(2)
}

if (process.argv[1] === import.meta.filename) main()
