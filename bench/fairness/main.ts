// npm run bench:fairness: what is left to an honest guest while another guest attacks. The honest rate beside an honest busy
// device is the measure: an attacker may take as much time as such a device, and no more. Prints a table, and fails if the
// share falls below `--least` (0.9) or the event loop is late by more than `--delay` milliseconds (5) in one of a hundred
// samples.
//
//   --only TEXT   attacks whose name contains it     --seconds N   per attack and measure (2)
//   --repeats N   the best of so many measures counts (1)           --save [NAME]
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runMain } from '../support/main.js'
import { Program, root } from '../support/program.js'
import { type Column, machine, markdownTable, saveResult, textTable } from '../support/tables.js'
import { ATTACKS, type Attack, honestDrain, honestMirror } from './attacks.js'
import type { Delay } from './back-end.js'
import type { Ran } from './front-ends.js'

const WARM_UP_MS = 300

interface Row {
  attack: string
  /** Frames of the honest pair per second: beside an honest busy device, and during the attack. */
  before: number
  during: number
  share: number
  /** Of the event loop during the attack, 99th percentile, in milliseconds. */
  delay: number
}

const million = (rate: number): string => (rate / 1e6).toFixed(2)
const COLUMNS: readonly Column<Row>[] = [
  { title: 'attack', value: row => row.attack },
  { title: 'beside an honest device, M frames a second', value: row => million(row.before) },
  { title: 'during the attack', value: row => million(row.during) },
  { title: 'share', value: row => row.share.toFixed(2) },
  { title: 'loop delay p99, ms', value: row => row.delay.toFixed(1) },
]

const { values: options } = parseArgs({
  options: {
    least: { type: 'string', default: '0.9' },
    delay: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    seconds: { type: 'string', default: '2' },
    repeats: { type: 'string', default: '1' },
    save: { type: 'string' },
  },
})

interface Measure {
  rate: number
  delay: number
}

const program = (file: string, core: number): Program =>
  new Program(process.execPath, [join(root, 'dist/bench/fairness', file)], { name: file, core })

const ask = <T>(to: Program, words: (string | number)[], ms = 0): Promise<T> =>
  to.ask<T>(JSON.stringify(words), ms)

/** The honest rate beside a device that does this. */
async function measure(attack: Attack, ms: number): Promise<Measure> {
  const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-fairness-'))
  const [from, to, other] = ['from', 'to', 'other'].map(name => join(folder, name))
  const backEnd = program('back-end.js', 0)
  const frontEnds = program('front-ends.js', 1)
  try {
    await ask(backEnd, ['open', from, to, other, attack.target])
    await ask(frontEnds, ['honest', from, to])
    await ask(frontEnds, ['attack', attack.name, other])
    await ask(frontEnds, ['run', WARM_UP_MS], WARM_UP_MS)
    await ask(backEnd, ['watch'])
    const { frames, seconds } = await ask<Ran>(frontEnds, ['run', ms], ms)
    const { p99 } = await ask<Delay>(backEnd, ['delay'])
    return { rate: frames / seconds, delay: p99 }
  } finally {
    await Promise.all([frontEnds.stop(), backEnd.stop()])
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The best of several: other work on the machine only ever takes from a rate. */
async function best(attack: Attack): Promise<Measure> {
  const measures: Measure[] = []
  for (let n = 0; n < Number(options.repeats); n++)
    measures.push(await measure(attack, 1000 * Number(options.seconds)))
  return measures.reduce((most, one) => ({
    rate: Math.max(most.rate, one.rate),
    delay: Math.min(most.delay, one.delay),
  }))
}

runMain(async () => {
  const [least, late] = [Number(options.least), Number(options.delay)]
  const honest = { drain: await best(honestDrain), mirror: await best(honestMirror) }
  const rows: Row[] = []
  for (const attack of ATTACKS.filter(({ name }) => name.includes(options.only))) {
    const { rate, delay } = await best(attack)
    const before = honest[attack.target].rate
    const row = { attack: attack.name, before, during: rate, share: rate / before, delay }
    rows.push(row)
    const held = row.share >= least && row.delay <= late
    console.log(
      `${held ? 'ok' : 'not ok'}: ${row.attack}: share ${row.share.toFixed(2)}, delay ${row.delay.toFixed(1)} ms`,
    )
    if (!held) process.exitCode = 1
  }
  console.log(`\n${textTable(COLUMNS, rows)}`)
  if (options.save !== undefined)
    saveResult(options.save, { machine: machine(), rows }, markdownTable(COLUMNS, rows))
})
