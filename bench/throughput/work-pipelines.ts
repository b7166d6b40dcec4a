// The jobs written as rxjs pipelines of bursts and of packets. No packet is dropped: the mirror waits for its monitor.
import { delay, type MonoTypeOperatorFunction, merge, type Observable, type Subscription } from 'rxjs'
import type { Burst, Packet, VhostSink, WritablePacket } from '../../src/index.js'
import {
  enqueue,
  filterPackets,
  mapPackets,
  mirror,
  partitionPackets,
  release,
  retain,
} from '../../src/operators/index.js'
import { FRAME_MIN, type FrameCheck, matches } from './frames.js'
import type { Form, Job } from './jobs.js'
import type { Ports } from './work-calls.js'

// Swaps the addresses with four reads and four writes; the library checks the bounds of each.
function swapMacs(packet: WritablePacket): void {
  const to = packet.uint32(0)
  const toEnd = packet.uint16(4)
  packet.setUint32(0, packet.uint32(6))
  packet.setUint16(4, packet.uint16(10))
  packet.setUint32(6, to)
  packet.setUint16(10, toEnd)
}

/**
 * Faults to test the bench itself, which must report them. In one of 1,000 packets, `lose` drops the packet, `alter`
 * changes a byte, and `swap` sends the packet after later packets.
 */
function faulty(fault: string | undefined): MonoTypeOperatorFunction<Burst> {
  let count = 0
  const chosen = (): boolean => ++count % 1000 === 0
  const last = FRAME_MIN - 1
  if (fault === 'lose') return filterPackets(() => !chosen())
  if (fault === 'alter')
    return mapPackets(packet => chosen() && packet.setUint8(last, ~packet.uint8(last)), { inPlace: true })
  if (fault === 'swap')
    return source => {
      const [late, others] = partitionPackets(source, chosen)
      return merge(others, late.pipe(retain(), delay(1), release()))
    }
  return source => source
}

export function startPipeline(job: Job, form: Form, ports: Ports, check: FrameCheck): Subscription {
  const { from, to } = ports
  const packets = form === 'packets'
  const fault = process.env.RX_VHOST_BENCH_FAULT
  if (fault) return from[0].pipe(faulty(fault), enqueue(to[1])).subscribe()
  if (job === 'sink')
    return packets
      ? from[0].packets.subscribe(packet => check.packet(packet))
      : from[0].subscribe(burst => check.burst(burst))
  return (packets ? through(job, from[0].packets, to) : through(job, from[0], to)).subscribe()
}

function through<T extends Burst | Packet>(
  job: Job,
  from: Observable<T>,
  to: VhostSink[],
): Observable<never> {
  switch (job) {
    case 'echo':
      return from.pipe(mapPackets<T>(swapMacs, { inPlace: true }), enqueue(to[0]))
    case 'forward':
      return from.pipe(enqueue(to[1]))
    case 'filter-forward':
      return from.pipe(filterPackets<T>(matches), enqueue(to[1]))
    case 'mirror':
      return from.pipe(mirror<T>(to[2], { overflow: 'block' }), enqueue(to[1]))
    default:
      throw new Error(`the job ${job} cannot be written as a pipeline`)
  }
}
