// docs/leases.md: its three right and three wrong pipelines run as printed, and give what the page says.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  ethernet,
  type FakeDevice,
  frames,
  type MarbleHelpers,
  marbles,
  numberOf,
} from '../../src/testing/index.js'
import { snippets } from '../support/lease-snippets.js'

const root = join(import.meta.dirname, '../../..')
const page = readFileSync(join(root, 'docs/leases.md'), 'utf8')

interface Case {
  traffic: string
  frames?: Record<string, Buffer[]>
  run(t: ExecutionContext, bench: Bench): void
}

interface Bench {
  h: MarbleHelpers
  vm: FakeDevice
  other: FakeDevice
  values: unknown[]
  errors: { code?: string }[]
}

const received = ({ other }: Bench): number[] => other.ports.toGuest.received.map(numberOf)
const leases = ({ h }: Bench): number => h.plane.pool.leases

const cases: Record<string, Case> = {
  'right: at once': {
    traffic: '2-v-1',
    frames: { v: [ethernet({ etherType: 0x86dd })] },
    run(t, bench) {
      bench.h.flush()
      t.deepEqual([received(bench), bench.errors, leases(bench)], [[0, 1, 2], [], 0])
    },
  },
  'right: later': {
    traffic: '2-1',
    run(t, bench) {
      bench.h.clock.schedule(() => t.is(leases(bench), 3), 9)
      bench.h.flush()
      t.deepEqual([received(bench), bench.errors, leases(bench)], [[0, 1, 2], [], 0])
    },
  },
  'right: a copy': {
    traffic: '2-a',
    frames: { a: [ethernet({ etherType: 0x0806, payload: 'who has' })] },
    run(t, bench) {
      bench.h.clock.schedule(() => bench.vm.close(), 1500)
      bench.h.flush()
      const [first] = bench.values as Buffer[][]
      t.deepEqual(
        first.map(copy => copy.subarray(14, 21).toString()),
        ['who has'],
      )
      t.deepEqual([bench.errors, leases(bench)], [[], 0])
    },
  },
  'wrong: a borrow used later': {
    traffic: '1',
    run(t, bench) {
      bench.h.flush()
      t.deepEqual([bench.errors.map(({ code }) => code), received(bench)], [['ERR_VHOST_LEASE_ENDED'], []])
    },
  },
  'wrong: retained too late': {
    traffic: '1-1',
    run(t, bench) {
      bench.h.flush()
      // The first was retained at once, since concatMap had nothing else to do.
      t.deepEqual([bench.errors.map(({ code }) => code), received(bench)], [['ERR_VHOST_LEASE_ENDED'], [0]])
      t.is(leases(bench), 0)
    },
  },
  'wrong: waits for more than the credit': {
    traffic: 'm',
    frames: { m: frames(2500) },
    run(t, bench) {
      const stalled: unknown[] = []
      bench.vm.subscribe(event => event.type === 'stalled' && stalled.push(event))
      bench.h.flush()
      t.deepEqual(stalled, [{ type: 'stalled', ring: 1, packets: 1024, holders: { collector: 1024 } }])
      t.deepEqual([received(bench), bench.errors, bench.vm.ports.fromGuest.waiting], [[], [], 2500 - 1024])
      t.is(leases(bench), 1024)
    },
  },
}

test('the page has each pipeline as it is run here', t => {
  const source = readFileSync(join(root, 'test/support/lease-snippets.ts'), 'utf8')
  const printed = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(match => match[1].trim())
  const run = [...source.matchAll(/\/\/ begin\n(.*?),\n\s*\/\/ end/gs)].map(match =>
    match[1]
      .split('\n')
      .map(line => line.replace(/^ {4}/, ''))
      .join('\n')
      .trim(),
  )
  t.is(run.length, 6)
  for (const snippet of run) t.true(printed.includes(snippet), snippet)
  t.deepEqual(Object.keys(cases), Object.keys(snippets))
})

for (const [name, { traffic, frames, run }] of Object.entries(cases))
  test(name, t =>
    marbles(h => {
      const vm = h.fakeDevice({ traffic }, { frames, size: 4096 })
      const other = h.fakeDevice({ room: 'x' }, { posts: { x: 4096 }, size: 4096 })
      const bench: Bench = { h, vm, other, values: [], errors: [] }
      h.clock.schedule(() => {
        snippets[name](vm, other).subscribe({
          next: value => bench.values.push(value),
          error: error => bench.errors.push(error),
        })
      }, 0)
      run(t, bench)
    }),
  )
