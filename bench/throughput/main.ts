// `npm run bench`: compares rx-vhost with librte_vhost in one run, in alternating slices, on the same cores with the
// same front end. Prints a table and saves it in bench/results/. docs/performance.md describes the measurement.
//
//   npm run bench [-- --quick | --full] [--job=a,b] [--form=a,b] [--size=64,1518] [--pairs=7] [--ms=1000]
//                 [--ring=256] [--mergeable=yes|no] [--burst=64] [--name=throughput]
import { parseArgs } from 'node:util'
import { BURST_PACKETS } from '../../src/packet/burst.js'
import { dpdkVersion, MissingError } from '../support/c-program.js'
import { runMain } from '../support/main.js'
import { type Axes, memoryKind, Rig } from '../support/rig.js'
import { machine, saveResult, textTable } from '../support/tables.js'
import { FRAME_MAX, FRAME_MIN } from './frames.js'
import { type Form, forms, type Job, jobs, missing, promise } from './jobs.js'
import { markdown, ratioTable, terminalTable, voids } from './report.js'
import { MOST_DISCARDED, measureRow, type Row } from './row.js'
import type { Work } from './slice.js'

const options = {
  quick: { type: 'boolean' },
  full: { type: 'boolean' },
  job: { type: 'string' },
  form: { type: 'string' },
  size: { type: 'string' },
  pairs: { type: 'string' },
  ms: { type: 'string' },
  ring: { type: 'string', default: '256' },
  mergeable: { type: 'string', default: 'yes' },
  burst: { type: 'string', default: String(BURST_PACKETS) },
  name: { type: 'string', default: 'throughput' },
} as const

interface Setting extends Axes {
  sizes: number[]
}

const { values } = parseArgs({ options })
const list = (text: string | undefined): string[] | undefined => text?.split(',').filter(Boolean)
const ring = Number(values.ring)
const mergeable = values.mergeable !== 'no'
const sizes = list(values.size)?.map(Number) ?? [64, 1518]
const pairs = Number(values.pairs ?? (values.quick ? 5 : 7))
const ms = Number(values.ms ?? (values.quick ? 200 : 1000))

/** Sets of options that differ from the default in one option. */
const settings: Setting[] = values.full
  ? [
      { ring, mergeable, sizes: [64, 512, 1518] },
      { ring: 1024, mergeable, sizes: [64, 1518] },
      { ring, mergeable: false, sizes: [64, 1518] },
    ]
  : [{ ring, mergeable, sizes }]

/** Checks the limits of the frame layout and of the generator's buffers. */
function checkOptions(): void {
  for (const size of sizes)
    if (!(size >= FRAME_MIN && size <= FRAME_MAX))
      throw new MissingError(`--size: ${FRAME_MIN} to ${FRAME_MAX} bytes`)
  if (![128, 256, 512, 1024].includes(ring)) throw new MissingError('--ring: 128, 256, 512 or 1024')
  if (!(pairs >= 1 && ms >= 10)) throw new MissingError('--pairs: at least 1; --ms: at least 10')
}

function wanted(): [Job, Form][] {
  const [onlyJobs, onlyForms] = [list(values.job), list(values.form)]
  for (const name of onlyJobs ?? [])
    if (!jobs.includes(name as Job)) throw new MissingError(`--job: one of ${jobs.join(', ')}`)
  for (const name of onlyForms ?? [])
    if (!forms.includes(name as Form)) throw new MissingError(`--form: one of ${forms.join(', ')}`)
  // --quick measures only combinations with a promised ratio.
  const all = !values.quick || onlyJobs !== undefined || onlyForms !== undefined
  const found = jobs
    .flatMap(job => forms.map((form): [Job, Form] => [job, form]))
    .filter(
      ([job, form]) =>
        (onlyJobs?.includes(job) ?? true) &&
        (onlyForms?.includes(form) ?? true) &&
        (all || promise(job, form, sizes[0]) !== undefined) &&
        !missing(job, form),
    )
  if (found.length > 0) return found
  const why = jobs.flatMap(job => forms.map(form => `${job}, ${form}: ${missing(job, form) ?? 'measured'}`))
  throw new MissingError(`no selected job exists in a selected form:\n${why.join('\n')}`)
}

async function measure({ sizes, ...axes }: Setting, rows: Row[]): Promise<number> {
  const works = wanted().flatMap(([job, form]) =>
    sizes.map((size): Work => ({ job, form, size, burst: Number(values.burst) })),
  )
  const ports = Math.max(...works.map(({ job }) => (job === 'mirror' ? 3 : 2)))
  const rig = await Rig.start({ ...axes, ports, poll: 'busy' })
  try {
    console.log(
      `ring ${axes.ring}, ${axes.mergeable ? 'mergeable' : 'not mergeable'}, ${memoryKind()}, ` +
        `negotiated: reference ${rig.masks.reference}, rx-vhost ${rig.masks.ours}`,
    )
    for (const work of works) {
      const row = await measureRow(rig, work, { pairs, ms })
      rows.push(row)
      const { job, form, size } = work
      const outcome = row.void ? `void: ${row.void}` : `ratio ${row.ratio?.median.toFixed(2) ?? '–'}`
      console.log(`${job}, ${form}, ${size} bytes: ${outcome}`)
    }
    return rig.tscMHz
  } finally {
    await rig.stop()
  }
}

async function main(): Promise<void> {
  checkOptions()
  const rows: Row[] = []
  let tscMHz = 0
  for (const setting of settings) tscMHz = await measure(setting, rows)
  console.log(`\n${terminalTable(rows)}`)
  console.log(`\n${textTable(...ratioTable(rows))}`)
  console.log(
    '\nValues: rx-vhost / reference. Ratio: cost of the reference divided by ours, without empty polls.',
  )
  const slices = rows.flatMap(row => row.slices)
  const discarded = slices.filter(slice => slice.discarded).length / Math.max(1, slices.length)
  console.log(`discarded slices: ${(discarded * 100).toFixed(1)} % of ${slices.length}${voids(rows)}`)
  const result = {
    machine: { ...machine(), tscMHz, dpdk: dpdkVersion(), memory: memoryKind() },
    ms,
    pairs,
    rows,
  }
  console.log(`saved: ${saveResult(values.name, result, markdown(rows, tscMHz)).join(', ')}`)
  if (rows.some(row => row.void) || discarded > MOST_DISCARDED) process.exitCode = 1
}

runMain(main)
