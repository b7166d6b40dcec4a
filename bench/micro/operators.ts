// The second half of `npm run bench:micro`: measures the cost per packet of each operator in the compliance suite and
// of a pipeline without operators, in bursts and as single packets. Times have no limit. In bursts, an operator may not
// allocate anything per packet, unless rows.ts gives a reason and a limit.
//
//   npm run bench:micro -- --operators     runs only this half
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Column, markdownTable, saveResult, textTable } from '../support/tables.js'
import type { OperatorCost } from './operator-cost.js'
import { benchRows, boundOf, staleBounds } from './rows.js'

const NONE = '(none)'

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
for (const [index, { name }] of benchRows.entries()) rows.push({ name, cost: await costOf(index) })

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
  { title: 'at most', value: ({ name }) => (name === NONE ? '' : boundOf(name).most) },
]

const NOTE = `Per packet, in a pipeline with only this operator, on rings in memory. ns: minimum of several runs.
bytes: exact size of objects on the JavaScript heap, without the contents of copies and buffers.`

const all: Row[] = [{ name: NONE, cost: none }, ...rows]
console.log(`${textTable(columns, all)}\n${NOTE}\n`)
saveResult('micro-operators', { rows: all }, `${markdownTable(columns, all)}\n\n${NOTE}`)

let failed = 0
rows.forEach(({ name, cost }, n) => {
  const { most, why } = boundOf(name)
  const found = cost.bursts.bytes
  const ok = found <= most
  if (!ok) failed++
  console.log(
    `${ok ? 'ok' : 'not ok'} ${n + 1} - ${name}: ${why}, at most ${most} bytes (${found.toFixed(1)})`,
  )
})
for (const name of staleBounds()) {
  failed++
  console.log(`not ok - rows.ts has a limit for ${name}, but there is no such row`)
}
if (failed > 0) process.exitCode = 1
