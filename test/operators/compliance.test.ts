// Every operator through the compliance suite. An operator file without a row fails here.
import { readdirSync } from 'node:fs'
import test from 'ava'
import type { Observable } from 'rxjs'
import type { Burst } from '../../src/burst.js'
import * as operators from '../../src/operators/index.js'
import type { Packet } from '../../src/packet.js'
import { type ComplianceRow, complianceChecks } from '../../src/testing/index.js'

type Any = Burst | Packet
const { enqueue, filterPackets, mirror, release, retain, tapPackets } = operators

const rows: Record<string, ComplianceRow> = {
  'enqueue.js': { name: 'enqueue', into: 'sink', make: ({ sink }) => enqueue(sink) },
  'filter-packets.js': {
    name: 'filterPackets',
    calls: true,
    make: ({ each }) => filterPackets<Any>(packet => each(packet) === undefined),
  },
  'mirror.js': { name: 'mirror', make: ({ sink }) => mirror<Any>(sink) },
  'release.js': {
    name: 'retain, release',
    make: () => (source: Observable<Any>) => source.pipe(retain<Any>(), release()),
  },
  'retain.js': { name: 'retain', make: () => retain<Any>() },
  'tap-packets.js': { name: 'tapPackets', calls: true, make: ({ each }) => tapPackets<Any>(each) },
}

const support = ['index.js', 'support.js']
const files = readdirSync(new URL('../../src/operators/', import.meta.url)).filter(
  file => file.endsWith('.js') && !support.includes(file),
)

test('every operator has a row', t => {
  t.deepEqual(Object.keys(rows).sort(), files.sort())
  t.is(Object.keys(operators).length, files.length)
})

for (const row of Object.values(rows)) {
  for (const check of complianceChecks)
    test(`${row.name}: ${check.name}`, t => t.notThrows(() => check.run(row)))
}
