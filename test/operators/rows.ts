// Every operator, as the compliance suite tests it (compliance.test.ts) and the bench measures it (bench/micro). An operator
// without a row fails there.
import { PassThrough } from 'node:stream'
import { merge, mergeMap, type Observable, of } from 'rxjs'
import { capture } from '../../src/capture/index.js'
import * as operators from '../../src/operators/index.js'
import type { Burst } from '../../src/packet/burst.js'
import type { Packet } from '../../src/packet/packet.js'
import type { WritablePacket } from '../../src/packet/writable.js'
import { type ComplianceRow, fakePlane, fakeToGuest, numberOf } from '../../src/testing/index.js'

type Any = Burst | Packet
const { detach, drop, enqueue, filterPackets, mapPackets, measure, mirror } = operators
const { firewall, groupByFlow, hashTo, measureFlows, roundRobin, route } = operators
const { impair, rateLimit, rewrite, sample } = operators
const { partitionPackets, processPackets, rebatch, release, retain, takeUntilAborted, tapPackets } = operators

/** By the operator's file. */
export const rows: Record<string, ComplianceRow | ComplianceRow[]> = {
  'detach.js': { name: 'detach', copies: true, make: () => detach<Any>() },
  'drop.js': {
    name: 'mirror, drop',
    into: 'sink',
    make:
      ({ sink }) =>
      (source: Observable<Any>) =>
        source.pipe(mirror<Any>(sink), drop()),
  },
  'enqueue.js': { name: 'enqueue', into: 'sink', make: ({ sink }) => enqueue(sink) },
  'filter-packets.js': {
    name: 'filterPackets',
    calls: true,
    make: ({ each }) => filterPackets<Any>(packet => each(packet) === undefined),
  },
  // The suite's frames are no IP, which they claim to be: a firewall drops them.
  'firewall.js': {
    name: 'mapPackets, firewall',
    make: () => (source: Observable<Any>) =>
      source.pipe(
        mapPackets<Any>(packet => packet.setUint16(12, 0x88b5)),
        firewall<Any>([], { policy: 'accept' }),
      ),
  },
  'group-by-flow.js': {
    name: 'groupByFlow, mergeMap',
    make: () => (source: Observable<Any>) =>
      source.pipe(
        groupByFlow<Any>({ maxFlows: 1 }),
        mergeMap(group => group),
      ),
  },
  'hash-to.js': { name: 'hashTo', into: 'sink', make: ({ sink }) => hashTo([sink]) },
  'impair.js': { name: 'impair', make: () => impair<Any>() },
  'map-packets.js': [
    { name: 'mapPackets', calls: true, make: ({ each }) => mapPackets<Any>(each) },
    {
      name: 'mapPackets in place',
      calls: true,
      make: ({ each }) => mapPackets<Any>(each, { inPlace: true }),
    },
    {
      name: 'mapPackets, filterPackets',
      calls: true,
      make:
        ({ each }) =>
        (source: Observable<Any>) =>
          source.pipe(
            mapPackets<Any>(() => {}),
            filterPackets<Any>(packet => each(packet) === undefined),
          ),
    },
  ],
  'measure.js': { name: 'measure', make: () => measure<Any>(() => {}) },
  'measure-flows.js': { name: 'measureFlows', make: () => measureFlows<Any>(() => {}, { maxFlows: 1 }) },
  'mirror.js': { name: 'mirror', make: ({ sink }) => mirror<Any>(sink) },
  'partition-packets.js': [0, 1].map(side => ({
    name: `partitionPackets, ${['matching', 'others'][side]}`,
    calls: true,
    make:
      ({ each }) =>
      (source: Observable<Any>) =>
        merge(
          ...partitionPackets(source, packet => {
            each(packet)
            return side === 0
          }),
        ),
  })),
  'process-packets.js': [
    { name: 'processPackets, at once', calls: true, make: ({ each }) => processPackets<Any>(each) },
    {
      name: 'processPackets, Observables',
      calls: true,
      make: ({ each }) =>
        processPackets<Any>(packet => {
          each(packet)
          return of(true)
        }),
    },
    {
      name: 'processPackets, rewriting',
      calls: true,
      make: ({ each }) =>
        processPackets<Any>(
          packet => {
            each(packet)
            return numberOf(packet) % 2 > 0 ? packet.toBuffer() : () => {}
          },
          { ordered: false },
        ),
    },
    {
      name: 'processPackets, the function of a verdict',
      calls: true,
      make: ({ each }) => {
        const write = (packet: WritablePacket): void => each(packet)
        return processPackets<Any>(packet => (numberOf(packet) % 2 > 0 ? write : of(write)))
      },
    },
  ],
  'rate-limit.js': (['shape', 'police'] as const).map(mode => ({
    name: `rateLimit, ${mode}`,
    make: () => rateLimit<Any>({ packetsPerSecond: 1e9, mode }),
  })),
  'rebatch.js': [
    { name: 'rebatch(8)', regroups: true, make: () => rebatch(8) },
    { name: 'rebatch(1)', regroups: true, make: () => rebatch(1) },
  ],
  'release.js': {
    name: 'retain, release',
    make: () => (source: Observable<Any>) => source.pipe(retain<Any>(), release()),
  },
  'retain.js': { name: 'retain', make: () => retain<Any>() },
  'round-robin.js': [
    { name: 'roundRobin', into: 'sink', make: ({ sink }) => roundRobin([sink]) },
    {
      name: 'roundRobin, one without a ring',
      into: 'sink',
      make: ({ sink }) => roundRobin([withoutRing(), sink]),
    },
  ],
  'route.js': {
    name: 'route',
    into: 'sink',
    make:
      ({ sink }) =>
      (source: Observable<Any>) => {
        const table = new operators.ForwardingTable()
        table.join(sink, 'block')
        return source.pipe(route(table, withoutRing()))
      },
  },
  'rewrite.js': [
    { name: 'rewrite', make: () => rewrite<Any>({ sourceMac: 1, decrementTtl: true }) },
    ...[false, true].map(inPlace => ({
      name: `rewrite by a function${inPlace ? ' in place' : ''}`,
      calls: true,
      make: ({ each }: { each: (packet: Packet) => void }) =>
        rewrite<Any>(
          packet => {
            each(packet)
            return numberOf(packet) % 2 > 0 ? { destinationMac: 2 } : undefined
          },
          { inPlace },
        ),
    })),
  ],
  'sample.js': { name: 'sample', make: () => sample<Any>(1) },
  'take-until-aborted.js': {
    name: 'takeUntilAborted',
    make: () => takeUntilAborted<Any>(new AbortController().signal),
  },
  'tap-packets.js': { name: 'tapPackets', calls: true, make: ({ each }) => tapPackets<Any>(each) },
}

function withoutRing() {
  const { sink, target } = fakeToGuest(fakePlane())
  target.detach()
  return sink
}

/** In folders of their own, since they know more than packets. */
export const elsewhere: ComplianceRow[] = [
  { name: 'capture', make: () => capture<Any>(new PassThrough().resume()) },
  { name: 'capture, block', make: () => capture<Any>(new PassThrough().resume(), { overflow: 'block' }) },
  {
    name: 'capture, filter',
    calls: true,
    make: ({ each }) =>
      capture<Any>(new PassThrough().resume(), { filter: packet => each(packet) === undefined }),
  },
]

export const allRows: readonly ComplianceRow[] = [...Object.values(rows).flat(), ...elsewhere]
