// A firewall between two guests: the one inside asks for what it likes, the one outside for what rules allow, and answers
// come back. Its counters are printed at the end.
//
//   node dist/examples/firewall.js                        two embedded guests, each packet's fate checked
//   node dist/examples/firewall.js inside.sock out.sock   for real front ends, until Ctrl-C
//   node dist/examples/firewall.js --allow 22,80,443 …    TCP ports of the guest inside that the other one may use
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as later } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { VhostDriver } from 'rx-vhost'
import { GuestPort } from 'rx-vhost/guest'
import { EtherType } from 'rx-vhost/headers'
import { enqueue, Firewall, firewall } from 'rx-vhost/operators'
import { tcp, udp } from 'rx-vhost/testing'
import { merge, type Observable } from 'rxjs'
import { narrate, onEnd } from './ports.js'

const DEADLINE_MS = 10_000

/** What the guest inside may have asked of it by the one outside: these TCP ports, and ping. */
export function wallFor(ports: readonly number[]): Firewall {
  return new Firewall([
    { name: 'arp', action: 'accept', etherType: EtherType.ARP },
    { name: 'neighbours', action: 'accept', protocol: 'icmpv6' },
    { name: 'outgoing', action: 'accept', from: 'inside' },
    { name: 'services', action: 'accept', protocol: 'tcp', destinationPort: ports },
    { name: 'ping', action: 'accept', protocol: 'icmp' },
  ])
}

/** inside ⇄ outside, through one firewall, so that it knows whose answer a packet is. */
export function wallBetween(inside: VhostDriver, outside: VhostDriver, wall: Firewall): Observable<never> {
  return merge(
    inside.fromGuest().pipe(firewall(wall, { from: 'inside' }), enqueue(outside.toGuest())),
    outside.fromGuest().pipe(firewall(wall, { from: 'outside' }), enqueue(inside.toGuest())),
  )
}

function printStats(wall: Firewall): void {
  const { accepted, established, dropped, rules, connections } = wall.stats
  console.log(`accepted ${accepted}, of connections ${established}, dropped ${JSON.stringify(dropped)}`)
  for (const { name, packets, bytes } of rules) console.log(`${name}: ${packets} packets, ${bytes} bytes`)
  console.log(`connections: ${connections.known}, established ${connections.established}`)
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { allow: { type: 'string', default: '80' } },
})
const wall = wallFor(values.allow.split(',').map(Number))

if (positionals.length === 0) await demonstrate()
else if (positionals.length === 2) serve(positionals)
else {
  console.error('usage: firewall [--allow PORT,PORT…] [inside.sock outside.sock]')
  process.exitCode = 2
}

function serve(paths: string[]): void {
  const [inside, outside] = paths.map(path => new VhostDriver(path))
  for (const driver of [inside, outside]) narrate(driver)
  const running = wallBetween(inside, outside, wall).subscribe({
    error: error => {
      console.error(error.message)
      process.exitCode = 1
    },
  })
  onEnd(() => {
    running.unsubscribe()
    printStats(wall)
  })
}

/** A name, who sends, the frame, and whether it is to arrive. */
type Step = [name: string, from: 'inside' | 'outside', frame: Uint8Array, passes: boolean]

function steps(): Step[] {
  const [a, b] = ['10.0.0.1', '192.0.2.9']
  const ask = { from: a, to: b, fromPort: 4000, toPort: 53 }
  const call = { from: b, to: a, fromPort: 5000, toPort: 80 }
  const back = { from: a, to: b, fromPort: 80, toPort: 5000 }
  return [
    [
      'an answer that nobody asked for',
      'outside',
      udp({ from: b, to: a, fromPort: 53, toPort: 4000 }),
      false,
    ],
    ['a question', 'inside', udp(ask), true],
    ['its answer', 'outside', udp({ from: b, to: a, fromPort: 53, toPort: 4000 }), true],
    ['a port that is closed', 'outside', tcp({ ...call, toPort: 22, flags: 'S' }), false],
    ['a segment out of turn', 'outside', tcp({ ...call, flags: 'A' }), false],
    ['a port that is open', 'outside', tcp({ ...call, flags: 'S' }), true],
    ['its answer', 'inside', tcp({ ...back, flags: 'SA' }), true],
    ['established', 'outside', tcp({ ...call, flags: 'A' }), true],
    ['data', 'inside', tcp({ ...back, flags: 'PA', payload: 'hello' }), true],
  ]
}

async function demonstrate(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-'))
  const drivers = ['inside', 'outside'].map(name => new VhostDriver(join(folder, `${name}.sock`)))
  const running = wallBetween(drivers[0], drivers[1], wall).subscribe()
  const guests = drivers.map(({ path }) => new GuestPort(path))
  const got: Uint8Array[] = []
  try {
    await Promise.all(guests.map(guest => guest.connect()))
    for (const guest of guests) guest.frames.subscribe(frame => got.push(frame))
    let wrong = 0
    for (const [name, from, frame, passes] of steps()) {
      const judged = wall.stats.accepted + sum(wall.stats.dropped) + 1
      got.length = 0
      guests[from === 'inside' ? 0 : 1].send(frame)
      const done = (): boolean =>
        wall.stats.accepted + sum(wall.stats.dropped) === judged && got.length >= (passes ? 1 : 0)
      for (const end = Date.now() + DEADLINE_MS; !done() && Date.now() < end; ) await later(1)
      const passed = got.length > 0
      if (passed !== passes) wrong++
      console.log(`from ${from}: ${name}: ${passed ? 'passes' : 'dropped'}`)
    }
    printStats(wall)
    process.exitCode = wrong === 0 ? 0 : 1
  } finally {
    for (const guest of guests) guest.close()
    running.unsubscribe()
    rmSync(folder, { recursive: true, force: true })
  }
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((all, count) => all + count, 0)
}
