// A firewall between two guests. The guest inside may open connections; the guest outside may open only those that a rule
// allows; replies pass in both directions. The counters are printed at the end.
//
//   node dist/examples/firewall.js                        two embedded guests; each packet's fate is checked
//   node dist/examples/firewall.js inside.sock out.sock   for real front ends, until Ctrl-C
//   node dist/examples/firewall.js --allow 22,80,443 …    TCP ports of the guest inside that are open
import { parseArgs } from 'node:util'
import type { VhostDriver } from 'rx-vhost'
import { EtherType } from 'rx-vhost/headers'
import { enqueue, Firewall, firewall } from 'rx-vhost/operators'
import { tcp, udp } from 'rx-vhost/testing'
import { merge, type Observable } from 'rxjs'
import { demonstrate, type Embedded, serve, until } from './run.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { allow: { type: 'string', default: '80' } },
})
const wall = new Firewall([
  { name: 'arp', action: 'accept', etherType: EtherType.ARP },
  { name: 'neighbours', action: 'accept', protocol: 'icmpv6' },
  { name: 'outgoing', action: 'accept', from: 'inside' },
  {
    name: 'services',
    action: 'accept',
    protocol: 'tcp',
    destinationPort: values.allow.split(',').map(Number),
  },
  { name: 'ping', action: 'accept', protocol: 'icmp' },
])

/** Both directions use the same firewall, so that it finds the connection of a reply. */
function wallBetween(inside: VhostDriver, outside: VhostDriver): Observable<never> {
  return merge(
    inside.fromGuest().pipe(firewall(wall, { from: 'inside' }), enqueue(outside.toGuest())),
    outside.fromGuest().pipe(firewall(wall, { from: 'outside' }), enqueue(inside.toGuest())),
  )
}

function printStats(): void {
  const { accepted, established, dropped, rules, connections } = wall.stats
  console.log(`accepted ${accepted}, of connections ${established}, dropped ${JSON.stringify(dropped)}`)
  for (const { name, packets, bytes } of rules) console.log(`${name}: ${packets} packets, ${bytes} bytes`)
  console.log(`connections: ${connections.known}, established ${connections.established}`)
}

const question = { from: '10.0.0.1', to: '192.0.2.9', fromPort: 4000, toPort: 53 }
const answer = { from: '192.0.2.9', to: '10.0.0.1', fromPort: 53, toPort: 4000 }
const call = { from: '192.0.2.9', to: '10.0.0.1', fromPort: 5000, toPort: 80 }
const reply = { from: '10.0.0.1', to: '192.0.2.9', fromPort: 80, toPort: 5000 }
/** A name, the sender, the frame, and whether the frame should arrive. */
const steps: [name: string, from: 'inside' | 'outside', frame: Uint8Array, passes: boolean][] = [
  ['an answer that nobody asked for', 'outside', udp(answer), false],
  ['a question', 'inside', udp(question), true],
  ['its answer', 'outside', udp(answer), true],
  ['a port that is closed', 'outside', tcp({ ...call, toPort: 22, flags: 'S' }), false],
  ['a segment out of turn', 'outside', tcp({ ...call, flags: 'A' }), false],
  ['a port that is open', 'outside', tcp({ ...call, flags: 'S' }), true],
  ['its answer', 'inside', tcp({ ...reply, flags: 'SA' }), true],
  ['established', 'outside', tcp({ ...call, flags: 'A' }), true],
  ['data', 'inside', tcp({ ...reply, flags: 'PA', payload: 'hello' }), true],
]

async function show({ guests }: Embedded): Promise<void> {
  const judged = (): number =>
    Object.values(wall.stats.dropped).reduce((all, count) => all + count, wall.stats.accepted)
  let arrived = 0
  for (const guest of guests) guest.frames.subscribe(() => arrived++)
  for (const [n, [name, from, frame, passes]] of steps.entries()) {
    arrived = 0
    guests[from === 'inside' ? 0 : 1].send(frame)
    await until(() => judged() === n + 1 && (arrived > 0 || !passes))
    if (arrived > 0 !== passes) process.exitCode = 1
    console.log(`from ${from}: ${name}: ${arrived > 0 ? 'passes' : 'dropped'}`)
  }
  printStats()
}

if (positionals.length === 0) await demonstrate(['inside', 'outside'], wallBetween, show)
else if (positionals.length === 2) serve(positionals, wallBetween, { atEnd: printStats })
else {
  console.error('usage: firewall [--allow PORT,PORT…] [inside.sock outside.sock]')
  process.exitCode = 2
}
