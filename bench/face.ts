// Measures the cost of the JavaScript code per packet, on rings in memory without a guest. Only the rows with bpf need
// the addon. Run it with `node dist/bench/face.js`.
import { merge, mergeMap, type Observable } from 'rxjs'
import { bpf } from '../src/bpf/index.js'
import { plainPoolArrays } from '../src/data/pool/arrays.js'
import { Pool } from '../src/data/pool/pool.js'
import { SinkQueue } from '../src/data/sink/sink.js'
import { SourceQueue } from '../src/data/source/source.js'
import { Scheduler } from '../src/data/turn/scheduler.js'
import { Turn } from '../src/data/turn/turn.js'
import { HeaderReader, HeaderWriter } from '../src/headers/index.js'
import {
  detach,
  drop,
  enqueue,
  Firewall,
  ForwardingTable,
  filterPackets,
  firewall,
  groupByFlow,
  hashTo,
  impair,
  mapPackets,
  measure as measured,
  measureFlows,
  mirror,
  partitionPackets,
  processPackets,
  rateLimit,
  rebatch,
  release,
  retain,
  rewrite,
  roundRobin,
  route,
  sample,
  tapPackets,
} from '../src/operators/index.js'
import { VhostQueue, VhostSink } from '../src/queue/queue.js'
import { FakePort } from '../src/testing/fake-port.js'
import { tcp } from '../src/testing/packets.js'

let bytes = 0
const PACKETS = Number(process.argv[2] ?? 4_000_000)

interface Bench {
  from: VhostQueue
  to: VhostSink
  monitor: VhostSink
}

/** The frame of all rows; it has all headers that the rows read. */
const same = tcp({ payload: 'abcdefghij' })

async function measure(name: string, pipeline: (bench: Bench) => Observable<unknown>): Promise<number> {
  const pool = new Pool(plainPoolArrays(16 << 20), { strict: false })
  const plane = { pool, scheduler: new Scheduler(), turn: new Turn() }
  const [source, sink, monitor] = [new SourceQueue(plane), new SinkQueue(plane), new SinkQueue(plane)]
  const port = new FakePort(pool)
  source.attach(port)
  for (const queue of [sink, monitor]) {
    const to = new FakePort(pool, { record: false, size: 2 ** 30 })
    to.post(2 ** 30)
    queue.attach(to)
  }
  const run = (count: number): Promise<number> =>
    new Promise((resolve, reject) => {
      const began = performance.now()
      port.sendSame(same, count)
      const running = pipeline({
        from: new VhostQueue(source),
        to: new VhostSink(sink),
        monitor: new VhostSink(monitor),
      }).subscribe({ error: reject })
      const look = (): void => {
        if (port.waiting > 0) return void setImmediate(look)
        running.unsubscribe()
        resolve(((performance.now() - began) * 1e6) / count)
      }
      look()
    })
  await run(PACKETS / 4)
  const ns = Math.min(await run(PACKETS), await run(PACKETS), await run(PACKETS))
  console.log(`${name.padEnd(44)} ${ns.toFixed(1).padStart(7)} ns per packet   leases left ${pool.leases}`)
  return ns
}

await measure('bursts → nothing (fake ring and pool)', b => b.from)
await measure('bursts → enqueue', b => b.from.pipe(enqueue(b.to)))
await measure('bursts → filter(all) → enqueue', b =>
  b.from.pipe(
    filterPackets(p => p.uint16(12) !== 0x86dd),
    enqueue(b.to),
  ),
)
await measure('bursts → filter(length) → enqueue', b =>
  b.from.pipe(
    filterPackets(p => p.length > 60),
    enqueue(b.to),
  ),
)
await measure('bursts → filter(1 of 2) → enqueue', b => {
  let count = 0
  return b.from.pipe(
    filterPackets(() => (count++ & 1) === 0),
    enqueue(b.to),
  )
})
await measure('bursts → tap → enqueue', b =>
  b.from.pipe(
    tapPackets(p => {
      bytes += p.length
    }),
    enqueue(b.to),
  ),
)
await measure('bursts → mirror → enqueue', b => b.from.pipe(mirror(b.monitor), enqueue(b.to)))
await measure('bursts → filter, mirror → enqueue', b =>
  b.from.pipe(
    filterPackets(p => p.uint16(12) !== 0x86dd),
    mirror(b.monitor),
    enqueue(b.to),
  ),
)
await measure('bursts → retain → release → enqueue', b => b.from.pipe(retain(), release(), enqueue(b.to)))
await measure('bursts → merge of two → enqueue', b =>
  merge(b.from.pipe(enqueue(b.to)), b.from.pipe(enqueue(b.monitor))),
)
await measure('bursts → drop', b => b.from.pipe(drop()))
await measure('bursts → mapPackets(one byte) → enqueue', b =>
  b.from.pipe(
    mapPackets(p => p.setUint8(0, 2)),
    enqueue(b.to),
  ),
)
await measure('bursts → mapPackets, inPlace → enqueue', b =>
  b.from.pipe(
    mapPackets(p => p.setUint8(0, 2), { inPlace: true }),
    enqueue(b.to),
  ),
)
await measure('bursts → partition(1 of 2) → 2 × enqueue', b => {
  let count = 0
  const [some, others] = partitionPackets(b.from, () => (count++ & 1) === 0)
  return merge(some.pipe(enqueue(b.to)), others.pipe(enqueue(b.monitor)))
})
await measure('bursts → rebatch(32) → enqueue', b => b.from.pipe(rebatch(32), enqueue(b.to)))
await measure('bursts → rebatch(48) → enqueue', b => b.from.pipe(rebatch(48), enqueue(b.to)))
await measure('bursts → measure → enqueue', b =>
  b.from.pipe(
    measured(m => {
      bytes += m.bytes
    }),
    enqueue(b.to),
  ),
)
await measure('bursts → detach', b => b.from.pipe(detach()))
await measure('bursts → processPackets(at once) → enqueue', b =>
  b.from.pipe(
    processPackets(() => true),
    enqueue(b.to),
  ),
)
await measure('bursts → processPackets(promise) → enqueue', b =>
  b.from.pipe(
    processPackets(async () => true),
    enqueue(b.to),
  ),
)
const headers = new HeaderReader()
await measure('bursts → filter(etherType by header) → enqueue', b =>
  b.from.pipe(
    filterPackets(p => headers.of(p).etherType !== 0x86dd),
    enqueue(b.to),
  ),
)
await measure('bursts → filter(5-tuple by headers) → enqueue', b =>
  b.from.pipe(
    filterPackets(p => {
      const { ipv4, tcp } = headers.of(p)
      return (
        ipv4 !== undefined &&
        tcp !== undefined &&
        ipv4.sourceAddress !== 1 &&
        ipv4.destinationAddress !== 1 &&
        tcp.sourcePort !== 1 &&
        tcp.destinationPort !== 1
      )
    }),
    enqueue(b.to),
  ),
)
await measure('bursts → filter(the same by offsets) → enqueue', b =>
  b.from.pipe(
    filterPackets(
      p =>
        p.uint16(12) === 0x0800 &&
        p.uint8(14) === 0x45 &&
        p.uint8(23) === 6 &&
        p.uint32(26) !== 1 &&
        p.uint32(30) !== 1 &&
        p.uint16(34) !== 1 &&
        p.uint16(36) !== 1,
    ),
    enqueue(b.to),
  ),
)
await measure("bursts → filter(bpf('tcp')) → enqueue", b =>
  b.from.pipe(filterPackets(bpf('tcp')), enqueue(b.to)),
)
await measure('bursts → filter(bpf of a 5-tuple) → enqueue', b =>
  b.from.pipe(
    filterPackets(bpf('tcp and src net 10.0.0.0/8 and dst net 10.0.0.0/8 and not port 22 and not port 25')),
    enqueue(b.to),
  ),
)
const writer = new HeaderWriter()
await measure('bursts → mapPackets(addresses, ports, TTL), inPlace', b =>
  b.from.pipe(
    mapPackets(
      p => {
        const { ipv4, tcp } = writer.of(p)
        if (ipv4 === undefined || tcp === undefined) return
        ipv4.timeToLive = 63
        ipv4.sourceAddress = 0xcb007101
        tcp.sourcePort = 40000
      },
      { inPlace: true },
    ),
    enqueue(b.to),
  ),
)
await measure('bursts → groupByFlow → enqueue', b =>
  b.from.pipe(
    groupByFlow(),
    mergeMap(flow => flow.pipe(enqueue(b.to))),
  ),
)
await measure('bursts → roundRobin (2 sinks)', b => b.from.pipe(roundRobin([b.to, b.monitor])))
await measure('bursts → hashTo (2 sinks)', b => b.from.pipe(hashTo([b.to, b.monitor])))
await measure('bursts → route (flooded to 2 ports)', b => {
  const table = new ForwardingTable()
  for (const sink of [b.to, b.monitor]) table.join(sink, 'block')
  return b.from.pipe(route(table, b.to))
})
await measure('bursts → firewall (3 rules) → enqueue', b =>
  b.from.pipe(
    firewall(
      [
        { action: 'drop', source: ['192.0.2.0/24', '2001:db8::/32'] },
        { action: 'drop', protocol: 'udp' },
        { action: 'accept', protocol: 'tcp', destinationPort: '1-1023' },
      ],
      { stateful: false },
    ),
    enqueue(b.to),
  ),
)
await measure('bursts → firewall (connection) → enqueue', b => {
  const wall = new Firewall([{ action: 'accept' }])
  return b.from.pipe(
    mapPackets(p => p.setUint8(47, 2), { inPlace: true }),
    firewall(wall),
    enqueue(b.to),
  )
})
await measure('bursts → measureFlows → enqueue', b =>
  b.from.pipe(
    measureFlows(() => {}),
    enqueue(b.to),
  ),
)
await measure('bursts → rewrite(MACs, TTL) → enqueue', b =>
  b.from.pipe(rewrite({ sourceMac: 1, destinationMac: 2, decrementTtl: true }), enqueue(b.to)),
)
const nat = { source: { address: '203.0.113.1', port: 40000 } }
await measure('bursts → rewrite(NAT by a function) → enqueue', b =>
  b.from.pipe(
    rewrite(() => nat),
    enqueue(b.to),
  ),
)
await measure('bursts → rewrite(push VLAN), inPlace → enqueue', b =>
  b.from.pipe(rewrite({ pushVlan: { identifier: 7 } }, { inPlace: true }), enqueue(b.to)),
)
await measure('bursts → rateLimit(all pass) → enqueue', b =>
  b.from.pipe(rateLimit({ packetsPerSecond: 1e9, bitsPerSecond: 1e12 }), enqueue(b.to)),
)
await measure('bursts → rateLimit(police, most dropped)', b =>
  b.from.pipe(rateLimit({ packetsPerSecond: 1e5, mode: 'police' }), enqueue(b.to)),
)
await measure('bursts → sample(1 of 100) → enqueue', b => b.from.pipe(sample(100), enqueue(b.to)))
await measure('bursts → sample(1 of 100, by flow) → enqueue', b =>
  b.from.pipe(sample({ every: 100, by: 'flow' }), enqueue(b.to)),
)
await measure('bursts → impair(loss, no delay) → enqueue', b =>
  b.from.pipe(impair({ loss: 0.01 }), enqueue(b.to)),
)
await measure('packets → nothing', b => b.from.packets)
await measure('packets → filter → enqueue', b =>
  b.from.packets.pipe(
    filterPackets(p => p.uint16(12) !== 0x86dd),
    enqueue(b.to),
  ),
)
console.log(`(${bytes} bytes seen by tap)`)
