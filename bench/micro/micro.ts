// `npm run bench:micro`: counts instructions per packet of our native core and of librte_vhost, in one run under
// callgrind, and checks their limits (verdict.ts). Unlike times, instruction counts do not depend on the load of the
// machine, so CI can use them to detect a change. Times are printed too, without a limit.
//
//   npm run bench:micro                            prints a table, then `ok` or `not ok` for each check
//   npm run bench:micro -- --record                writes lower figures into bench/micro/record.json
//   npm run bench:micro -- --lines dequeue-64-32   prints instructions per packet by function and by line;
//                                                  dequeue-64-32-theirs: of librte_vhost, by function
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { MissingError } from '../support/c-program.js'
import { root } from '../support/program.js'
import { type Column, machine, markdownTable, saveResult, textTable } from '../support/tables.js'
import { type Figure, measure } from './measure.js'
import { report } from './profile.js'
import { buildMicro, type Toolchain, toolchain } from './program.js'
import { keyOf, lowered, type MicroRecord, oursOf, theirsOf, verdict } from './verdict.js'

/** Packets per job: complete rounds of the ring, and few enough that callgrind takes only seconds for all jobs. */
const PACKETS = 8192
const recordFile = join(root, 'bench', 'micro', 'record.json')
const profiles = join(root, 'native', 'build-micro', 'callgrind')

const { values } = parseArgs({ options: { record: { type: 'boolean' }, lines: { type: 'string' } } })

interface Row {
  ours: Figure
  theirs?: Figure
  /** Their figure including the freeing of packets; in rx-vhost, JavaScript frees packets. */
  freed?: Figure
}

const rows = (figures: Figure[]): Row[] =>
  oursOf(figures).map(ours => ({
    ours,
    theirs: theirsOf(figures, ours),
    freed: theirsOf(figures, { ...ours, job: `${ours.job}-free` }),
  }))

const number = (value: number | undefined, digits: number): string => value?.toFixed(digits) ?? '–'

const columns: Column<Row>[] = [
  { title: 'job', value: ({ ours }) => ours.job },
  { title: 'bytes', value: ({ ours }) => ours.size || '–' },
  { title: 'burst', value: ({ ours }) => ours.burst },
  { title: 'ours', value: ({ ours }) => number(ours.instructions, 1) },
  { title: 'theirs', value: ({ theirs }) => number(theirs?.instructions, 1) },
  {
    title: 'ratio',
    value: ({ ours, theirs }) => number(theirs && ours.instructions / theirs.instructions, 2),
  },
  { title: 'theirs + free', value: ({ freed }) => number(freed?.instructions, 1) },
  { title: 'ours ns', value: ({ ours }) => number(ours.nanoseconds, 1) },
  { title: 'theirs ns', value: ({ theirs }) => number(theirs?.nanoseconds, 1) },
]

const NOTE = `Instructions per packet (for dequeue-empty: per call), counted by callgrind. "theirs" is librte_vhost.
ns: median without callgrind. Driver and back end run in turn on one core, so times have no limit.`

function readRecord(): MicroRecord | undefined {
  return existsSync(recordFile) ? JSON.parse(readFileSync(recordFile, 'utf8')) : undefined
}

function saveRecord(figures: Figure[], found: Toolchain): void {
  writeFileSync(recordFile, `${JSON.stringify(lowered(figures, readRecord(), found), undefined, 2)}\n`)
  console.log(`written: ${relative(root, recordFile)}`)
}

function showLines(figures: Figure[], wanted: string): void {
  const figure = figures.find(one => [keyOf(one), `${keyOf(one)}-${one.side}`].includes(wanted))
  if (!figure)
    throw new Error(`unknown job ${wanted}; use one of ${[...new Set(figures.map(keyOf))].join(', ')}`)
  console.log(report(figure.profile, figure.units))
}

function main(): boolean {
  const found = toolchain()
  const figures = measure(buildMicro(), PACKETS, profiles)
  if (values.lines) {
    showLines(figures, values.lines)
    return true
  }
  const table = rows(figures)
  console.log(`${textTable(columns, table)}\n${NOTE}\n`)
  const result = { machine: machine(), toolchain: found, packets: PACKETS, figures }
  saveResult('micro', result, `${markdownTable(columns, table)}\n\n${NOTE}`)
  if (values.record) saveRecord(figures, found)
  const checks = verdict(figures, readRecord(), found)
  checks.forEach(({ ok, text, skipped }, n) => {
    console.log(`${ok ? 'ok' : 'not ok'} ${n + 1} - ${text}${skipped ? ` # skip ${skipped}` : ''}`)
  })
  return checks.every(({ ok }) => ok)
}

try {
  if (!main()) process.exitCode = 1
} catch (error) {
  console.error(error instanceof MissingError ? `bench:micro: ${error.message}` : error)
  process.exitCode = 1
}
