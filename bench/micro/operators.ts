// The second half of `npm run bench:micro`: what each operator that the compliance suite knows costs for a packet, in
// bursts and as single packets, beside a pipeline without one. Times are printed and judged by nobody. What is allocated
// is: in bursts no operator makes anything for a packet.
//
//   npm run bench:micro -- --operators     only these
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { allRows } from '../../test/operators/rows.js'
import { type Column, markdownTable, saveResult, textTable } from '../support/tables.js'
import type { OperatorCost } from './operator-cost.js'

/** Bytes a packet. Whatever is made a burst is shared by its 32; an object for each packet would be 16 at the least. */
const MOST_BYTES = 8

/** Whose purpose it is to make something. A capture into a file is held to 4 bytes by test/data/allocation.test.ts. */
const makes: readonly [name: RegExp, what: string][] = [
  [/^detach\b/, 'a copy that is yours'],
  [/^processPackets\b/, 'a job, and what the work makes'],
  [/^rebatch\(1\)/, 'a burst, as it is asked to'],
  [/^capture\b/, 'a share of the buffers that its stream is given'],
]
const madeBy = (name: string): string => makes.find(([pattern]) => pattern.test(name))?.[1] ?? ''

interface Row {
  name: string
  cost: OperatorCost
}

const child = fileURLToPath(new URL('./operator-cost.js', import.meta.url))
async function costOf(index: number): Promise<OperatorCost> {
  const { RX_VHOST_LEASES: _, ...env } = process.env
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', child, String(index)], {
    env,
  })
  return JSON.parse(stdout)
}

const none = await costOf(-1)
const rows: Row[] = []
for (const [index, { name }] of allRows.entries()) rows.push({ name, cost: await costOf(index) })

const nanoseconds = (form: 'bursts' | 'packets') => ({
  title: `${form}: ns`,
  value: ({ cost }: Row) => cost[form].nanoseconds.toFixed(1),
})
const bytes = (form: 'bursts' | 'packets') => ({
  title: 'bytes',
  value: ({ cost }: Row) => cost[form].bytes.toFixed(1),
})
const columns: Column<Row>[] = [
  { title: 'operator', value: ({ name }) => name },
  nanoseconds('bursts'),
  bytes('bursts'),
  nanoseconds('packets'),
  bytes('packets'),
  { title: 'makes for each packet', value: ({ name }) => madeBy(name) },
]

const NOTE = `Per packet, of a pipeline on rings in memory with this operator alone. ns: the least of some runs, never judged.
bytes: allocated.`

const all: Row[] = [{ name: '(none)', cost: none }, ...rows]
console.log(`${textTable(columns, all)}\n${NOTE}\n`)
saveResult('micro-operators', { rows: all }, `${markdownTable(columns, all)}\n\n${NOTE}`)

let failed = 0
rows.forEach(({ name, cost }, n) => {
  const made = madeBy(name)
  const found = cost.bursts.bytes
  const ok = made !== '' || found <= MOST_BYTES
  if (!ok) failed++
  const text = made === '' ? `at most ${MOST_BYTES} bytes a packet in bursts` : `makes ${made}`
  console.log(`${ok ? 'ok' : 'not ok'} ${n + 1} - ${name}: ${text} (${found.toFixed(1)})`)
})
if (failed > 0) process.exitCode = 1
