// `npm run bench -- latency`: measures the round trip of one frame through rx-vhost in each polling mode. Compares it
// with librte_vhost in a polling loop and with a C program that sleeps until the kick. Also measures idle CPU time.
//
//   npm run bench -- latency [--quick] [--poll=busy,adaptive,interrupt] [--gaps=10,400] [--repeats=7] [--name=latency]
import { parseArgs } from 'node:util'
import { dpdkVersion } from '../support/c-program.js'
import { classOf } from '../support/crossing-class.js'
import { runMain } from '../support/main.js'
import { memoryKind, Rig } from '../support/rig.js'
import { V8_SETTLES } from '../support/settling.js'
import { median, type Summary, summarize } from '../support/statistics.js'
import { type Column, machine, markdownTable, saveResult, textTable } from '../support/tables.js'
import { type Contender, idleCpu, ours, polling, roundTrips, sleeping, type Times } from './round-trips.js'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    poll: { type: 'string', default: 'busy,adaptive,interrupt' },
    gaps: { type: 'string', default: '10,400' },
    repeats: { type: 'string' },
    name: { type: 'string', default: 'latency' },
  },
})
const repeats = Number(values.repeats ?? (values.quick ? 5 : 9))
const IDLE_SECONDS = values.quick ? 1 : 4

/** Times between two round trips: one is too short for an adaptive back end to fall asleep, one is long enough. */
const gaps = values.gaps.split(',').map(us => ({ us: Number(us), rounds: Number(us) < 100 ? 10_000 : 1000 }))

interface Row {
  contender: string
  gapUs: number
  times: Times[]
  crossings: number[]
  /** Our time divided by theirs, only from repetitions in which both had the same class of core distance. */
  overPolling?: Summary
  overSleeping?: Summary
  idleCpuMs: number
}

interface Measured extends Times {
  class: string
}

const over = (mine: readonly Measured[], others: readonly Measured[]): Summary | undefined => {
  const ratios = mine
    .map((times, n) => ({ times, other: others[n] }))
    .filter(({ times, other }) => times.class === other.class)
    .map(({ times, other }) => times.p50 / other.p50)
  return ratios.length > 0 ? summarize(ratios) : undefined
}

/** Measures all contenders in turn, several times. */
async function measureGap(
  rig: Rig,
  contenders: readonly Contender[],
  gap: (typeof gaps)[number],
  idle: ReadonlyMap<Contender, number>,
): Promise<Row[]> {
  const measured = new Map<Contender, Measured[]>(contenders.map(contender => [contender, []]))
  const crossings: number[] = []
  for (let repeat = 0; repeat < repeats; repeat++)
    for (const contender of contenders) {
      const crossing = await rig.crossing()
      const times = await roundTrips(rig, contender, gap.rounds, gap.us)
      if (times.lost > 0) throw new Error(`${contender.name}: ${times.lost} frames did not come back`)
      measured.get(contender)!.push({ ...times, class: classOf(crossing) })
      crossings.push(crossing)
    }
  const of = (contender: Contender): Measured[] => measured.get(contender) as Measured[]
  return contenders.map(contender => ({
    contender: contender.name,
    gapUs: gap.us,
    times: of(contender),
    crossings,
    overPolling: contender === polling ? undefined : over(of(contender), of(polling)),
    overSleeping: contender.side === 'ours' ? over(of(contender), of(sleeping)) : undefined,
    idleCpuMs: idle.get(contender) as number,
  }))
}

async function measure(poll: string): Promise<Row[]> {
  const rig = await Rig.start({ ring: 256, mergeable: true, ports: 1, poll })
  try {
    const { reference, ours: mask } = rig.masks
    console.log(`${poll}: ${memoryKind()}, negotiated: reference ${reference}, rx-vhost ${mask}`)
    if (reference !== mask)
      throw new Error('the back ends negotiated different features, so they cannot be compared')
    const contenders = [polling, sleeping, ours(poll)]
    const idle = new Map<Contender, number>()
    for (const contender of contenders) {
      const settles = contender.side === 'ours' && poll !== 'busy' && !values.quick
      idle.set(contender, await idleCpu(rig, contender, settles ? V8_SETTLES : 0.1, IDLE_SECONDS))
    }
    const rows: Row[] = []
    for (const gap of gaps) rows.push(...(await measureGap(rig, contenders, gap, idle)))
    return rows
  } finally {
    await rig.stop()
  }
}

const middle = (row: Row, value: (times: Times) => number): string => median(row.times.map(value)).toFixed(2)
const ratio = (summary: Summary | undefined): string =>
  summary ? `${summary.median.toFixed(2)} (${summary.interval.map(n => n.toFixed(2)).join('–')})` : '–'

const columns: Column<Row>[] = [
  { title: 'back end', value: ({ contender }) => contender },
  { title: 'gap µs', value: ({ gapUs }) => gapUs },
  { title: 'p50 µs', value: row => middle(row, ({ p50 }) => p50) },
  { title: 'p99 µs', value: row => middle(row, ({ p99 }) => p99) },
  { title: 'p99.9 µs', value: row => middle(row, ({ p999 }) => p999) },
  { title: 'p50 over polling', value: ({ overPolling }) => ratio(overPolling) },
  { title: 'p50 over C epoll', value: ({ overSleeping }) => ratio(overSleeping) },
  { title: 'idle CPU ms/s', value: ({ idleCpuMs }) => idleCpuMs.toFixed(1) },
]

async function main(): Promise<void> {
  const rows: Row[] = []
  for (const poll of values.poll.split(',')) rows.push(...(await measure(poll)))
  console.log(`\n${textTable(columns, rows)}`)
  const crossings = rows.flatMap(row => row.crossings)
  console.log(
    `a cache line crosses in ${Math.min(...crossings).toFixed(0)} to ${Math.max(...crossings).toFixed(0)} ns`,
  )
  const result = { machine: { ...machine(), dpdk: dpdkVersion(), memory: memoryKind() }, repeats, rows }
  console.log(`saved: ${saveResult(values.name, result, markdownTable(columns, rows)).join(', ')}`)
}

runMain(main)
