// What compiles and what does not: tsc is the test, ava only counts it.
import test from 'ava'
import { delay, map, mergeMap, type Observable, of } from 'rxjs'
import { capture, PcapngWriter, replay } from '../../src/capture/index.js'
import {
  detach,
  drop,
  enqueue,
  Firewall,
  type FlowGroup,
  ForwardingTable,
  filterPackets,
  firewall,
  groupByFlow,
  hashTo,
  impair,
  mapPackets,
  measure,
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
  topFlows,
} from '../../src/operators/index.js'
import type { Burst, HeldBurst } from '../../src/packet/burst.js'
import type { DetachedBurst, DetachedPacket } from '../../src/packet/detached.js'

import type { HeldPacket, Packet } from '../../src/packet/packet.js'
import type { VhostQueue, VhostSink } from '../../src/queue/queue.js'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const is = <A, B>(_: Same<A, B>): void => {}

function compiles(
  queue: VhostQueue,
  sink: VhostSink,
  held: HeldBurst,
  burst: Burst,
  packet: HeldPacket,
): void {
  const copy = mirror(sink)
  const piped = queue.pipe(
    filterPackets(p => p.uint16(12) !== 0x86dd),
    copy,
    tapPackets(p => p.length),
    enqueue(sink),
  )
  is<typeof piped, Observable<never>>(true)
  const packets = queue.packets.pipe(
    filterPackets(p => p.length > 60),
    mirror(sink),
    tapPackets(p => p.length),
  )
  is<typeof packets, Observable<Packet>>(true)
  const slow = queue.pipe(
    retain(),
    delay(10),
    release(),
    filterPackets(() => true),
  )
  is<typeof slow, Observable<Burst>>(true)
  const owned = queue.pipe(retain())
  is<typeof owned, Observable<HeldBurst>>(true)
  const single = queue.packets.pipe(retain(), release())
  is<typeof single, Observable<Packet>>(true)
  const edited = queue.pipe(
    mapPackets(p => p.setUint8(0, 1)),
    measure(m => m.packets),
    processPackets(async p => p.length > 60),
    rebatch(32),
  )
  is<typeof edited, Observable<Burst>>(true)
  const editedOne = queue.packets.pipe(
    mapPackets(p => p.prepend(4), { inPlace: true }),
    measure({ next: m => m.bytes }),
    processPackets(() => of(p => p.truncate(60))),
  )
  is<typeof editedOne, Observable<Packet>>(true)
  const gathered = queue.packets.pipe(rebatch(32, { maxWait: 1 }))
  is<typeof gathered, Observable<Burst>>(true)
  const [some, others] = partitionPackets(queue, p => p.length > 60)
  is<typeof some, Observable<Burst>>(true)
  const [single2] = partitionPackets(queue.packets, p => p.length > 60)
  is<typeof single2, Observable<Packet>>(true)
  const nothing = others.pipe(drop('why'))
  is<typeof nothing, Observable<never>>(true)
  const copies = queue.pipe(detach())
  is<typeof copies, Observable<DetachedBurst>>(true)
  const oneCopy = queue.packets.pipe(detach())
  is<typeof oneCopy, Observable<DetachedPacket>>(true)
  const groups = queue.pipe(groupByFlow({ idle: 1000 }))
  is<typeof groups, Observable<FlowGroup<Burst>>>(true)
  const flows = groups.pipe(
    mergeMap(group => group.pipe(map(burst => `${group.key.source}: ${burst.length}`))),
  )
  is<typeof flows, Observable<string>>(true)
  const singles = queue.packets.pipe(
    groupByFlow(),
    mergeMap(group => group),
  )
  is<typeof singles, Observable<Packet>>(true)
  const spreads = [
    queue.pipe(roundRobin([sink, { sink, overflow: 'drop-newest' }])),
    queue.packets.pipe(hashTo([sink], { directed: true, overflow: 'strict' })),
    queue.pipe(route(new ForwardingTable(), sink)),
  ]
  is<typeof spreads, Observable<never>[]>(true)
  const walled = queue.pipe(
    firewall([{ action: 'accept', protocol: ['tcp', 47], destinationPort: [80, '1-9'] }], { policy: 'drop' }),
    firewall(new Firewall([]), { from: 'vm' }),
    measureFlows(({ flows }) => topFlows(flows, 3).map(flow => flow.key.protocolName)),
  )
  is<typeof walled, Observable<Burst>>(true)
  const walledOne = queue.packets.pipe(
    firewall([]),
    measureFlows({ next: report => report.ended[0]?.reason }),
  )
  is<typeof walledOne, Observable<Packet>>(true)
  const file = new PcapngWriter('x.pcapng', { rotate: { bytes: 1e6 }, ring: 3 })
  const captured = queue.pipe(
    capture(file, { name: 'vm', direction: 'inbound', snaplen: 96 }),
    capture('y.pcapng', { overflow: 'block', filter: p => p.length > 60 }),
    capture(process.stdout, { end: false }),
  )
  is<typeof captured, Observable<Burst>>(true)
  const capturedOne = queue.packets.pipe(capture(file))
  is<typeof capturedOne, Observable<Packet>>(true)
  const replayed = replay('x.pcapng', { speed: Infinity, loop: 2 }).pipe(enqueue(sink))
  is<typeof replayed, Observable<never>>(true)
  const packetsAgain = replay(new Uint8Array()).packets
  is<typeof packetsAgain, Observable<Packet>>(true)
  const shaped = queue.pipe(
    rewrite({ pushVlan: { identifier: 7 }, source: { address: '192.0.2.1', port: 1 } }),
    rewrite(p => (p.length > 60 ? { decrementTtl: true } : undefined), { inPlace: true }),
    sample({ every: 10, by: 'flow' }),
    rateLimit({ packetsPerSecond: 1e6, bitsPerSecond: 1e9, mode: 'police' }),
    impair({ delay: 10, jitter: 2, distribution: 'normal', loss: { toBad: 0.1, toGood: 0.5 } }),
  )
  is<typeof shaped, Observable<Burst>>(true)
  const shapedOnes = queue.packets.pipe(rewrite({}), sample(2), rateLimit({ bitsPerSecond: 1e6 }), impair())
  is<typeof shapedOnes, Observable<Packet>>(true)
  queue.subscribe(sink)
  queue.packets.subscribe(sink)

  // @ts-expect-error a held burst is not a borrowed one
  const borrowed: Burst = held
  // @ts-expect-error nor the other way round
  const taken: HeldBurst = burst
  // @ts-expect-error a held packet is not a borrowed one
  const one: Packet = packet
  // @ts-expect-error a borrow can't be released
  burst.release
  // @ts-expect-error a borrow is read-only
  burst.packet(0).length = 1
  // @ts-expect-error a borrow has nothing to write with
  queue.pipe(tapPackets(p => p.setUint8(0, 1)))
  // @ts-expect-error its header neither
  burst.packet(0).header.flags = 1
  // @ts-expect-error a copy of one's own is in no slot
  copies.pipe(enqueue(sink))
  // @ts-expect-error mapPackets is for borrows
  owned.pipe(mapPackets(() => {}))
  // @ts-expect-error processPackets takes its leases itself
  owned.pipe(processPackets(() => true))
  // @ts-expect-error a number is no verdict
  queue.pipe(processPackets(async () => 1))
  // @ts-expect-error partitionPackets is for packets
  partitionPackets(of(1), () => true)
  // @ts-expect-error filterPackets is for borrows
  owned.pipe(filterPackets(() => true))
  // @ts-expect-error rateLimit takes its leases itself
  owned.pipe(rateLimit({ packetsPerSecond: 1 }))
  // @ts-expect-error so does impair
  owned.pipe(impair({ delay: 1 }))
  // @ts-expect-error there is no such mode
  queue.pipe(rateLimit({ packetsPerSecond: 1, mode: 'drop' }))
  // @ts-expect-error a function says what to change, it does not change
  queue.pipe(rewrite(p => p.length))
  // @ts-expect-error a tag that is pushed has an identifier
  rewrite({ pushVlan: { priority: 1 } })
  // @ts-expect-error not a sink
  enqueue({ next() {} })
  // @ts-expect-error no such action
  firewall([{ action: 'reject' }])
  // @ts-expect-error no such protocol
  firewall([{ action: 'accept', protocol: 'tpc' }])
  // @ts-expect-error groupByFlow is for borrows
  owned.pipe(groupByFlow())
  // @ts-expect-error not a sink
  roundRobin([{ next() {} }])
  // @ts-expect-error a key is read-only
  groups.subscribe(group => (group.key.source = ''))
  // @ts-expect-error capture is for borrows
  owned.pipe(capture(file))
  // @ts-expect-error a writer has its own overflow
  queue.pipe(capture(file, { overflow: 'block' }))
  // @ts-expect-error numbers are not packets
  of(1, 2, 3).pipe(enqueue(sink))
  void [borrowed, taken, one]
}

test('the operators infer, and what must not compile does not', t => t.is(typeof compiles, 'function'))
