// A gateway: connects a guest to the host's network over a TAP interface. Checksums and segmentation are left to the
// side that supports them. With the host's own routing and firewall this becomes a NAT, a router or a VPN.
//
//   node dist/examples/gateway.js --tap tap0 --address 10.0.0.254/24 vm.sock      as root, or with CAP_NET_ADMIN
//   node dist/examples/gateway.js --tap tap0 vm.sock                              an interface that exists already
//   node dist/examples/gateway.js --filter 'not port 25' …                        the packets that the guest may send (pcap-filter(7))
//
// Give the guest an address in the same network, and 10.0.0.254 as its default route. To reach networks behind the host:
//   sysctl net.ipv4.ip_forward=1; nft add table nat; nft add chain nat out '{ type nat hook postrouting priority 100; }'
//   nft add rule nat out ip saddr 10.0.0.0/24 oifname != tap0 masquerade
import { execFileSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { VhostDriver } from 'rx-vhost'
import { bpf } from 'rx-vhost/bpf'
import { enqueue, filterPackets } from 'rx-vhost/operators'
import { TapPort } from 'rx-vhost/tap'
import { ignoreElements, merge, type Observable, Subscription, switchMap, tap as tell } from 'rxjs'
import { narrate, onEnd, reportFaults } from './run.js'

/** Connects the guest and the host's network in both directions. `filter`: the packets that the guest may send. */
export function gateway(vm: VhostDriver, host: TapPort, filter?: string): Observable<never> {
  // The host may leave offloads to a guest that supports them. This is set for each guest that connects.
  const offloads = vm.pipe(
    switchMap(device => device),
    tell(event => {
      if ('features' in event) host.setOffloads(event.features)
    }),
    ignoreElements(),
  )
  const fromGuest = filter === undefined ? vm.fromGuest() : vm.fromGuest().pipe(filterPackets(bpf(filter)))
  return merge(offloads, fromGuest.pipe(enqueue(host.toHost())), host.fromHost().pipe(enqueue(vm.toGuest())))
}

function main(): void {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      tap: { type: 'string', default: '' },
      address: { type: 'string' },
      filter: { type: 'string' },
    },
  })
  if (positionals.length !== 1) {
    console.error('usage: gateway [--tap NAME] [--address A/LENGTH] [--filter EXPRESSION] vm.sock')
    process.exitCode = 2
    return
  }
  const vm = new VhostDriver(positionals[0])
  const host = new TapPort(values.tap, { up: values.address !== undefined })
  if (values.address !== undefined)
    execFileSync('ip', ['address', 'replace', values.address, 'dev', host.name])
  const all = new Subscription()
  const end = (): void => {
    const { fromHost, toHost } = { fromHost: host.fromHost().stats, toHost: host.toHost().stats }
    console.log(JSON.stringify({ tap: host.name, fromHost, toHost, toGuest: vm.toGuest().stats }))
    all.unsubscribe()
    host.close()
  }
  onEnd(end)
  narrate(vm)
  host.events.subscribe(event => {
    console.log(`${event.type} ${host.name}`)
    if (event.type !== 'gone') return
    process.exitCode = 1
    end()
  })
  console.log(`tap ${host.name}`)
  all.add(
    gateway(vm, host, values.filter).subscribe({
      error: error => {
        console.error(error.message)
        process.exitCode = 1
        end()
      },
    }),
  )
  all.add(reportFaults(vm))
}

if (process.argv[1] === import.meta.filename) main()
