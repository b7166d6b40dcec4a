// Formats rows as tables: a table of ratios, a short table for the terminal, and a complete table in Markdown.
import { type Side, sides } from '../support/rig.js'
import { median } from '../support/statistics.js'
import { type Column, markdownTable, textTable } from '../support/tables.js'
import { type Form, forms, type Job, kept, promise } from './jobs.js'
import type { Judged, Row } from './row.js'

const counting = (row: Row, side: Side): Judged[] =>
  row.slices.filter(slice => slice.side === side && !slice.discarded)

/** Returns the median over the slices of a side that count; '–' if there are none. */
function middle(row: Row, side: Side, value: (slice: Judged) => number, digits = 1): string {
  const values = counting(row, side).map(value)
  return values.length === 0 ? '–' : median(values).toFixed(digits)
}

const both = (row: Row, value: (slice: Judged) => number, digits = 1): string =>
  sides
    .toReversed()
    .map(side => middle(row, side, value, digits))
    .join(' / ')

const mpps = ({ packets, ns }: Judged): number => (packets * 1e3) / ns
const resident = ({ usage }: Judged): number => usage.residentMiB + usage.hugeMiB

const ratio = (row: Row): string => row.ratio?.median.toFixed(2) ?? '–'
const interval = (row: Row): string => row.ratio?.interval.map(n => n.toFixed(2)).join('–') ?? ''

const name: Column<Row>[] = [
  { title: 'job', value: ({ job }) => job },
  { title: 'form', value: ({ form }) => form },
  { title: 'bytes', value: ({ size }) => size },
]

const result: Column<Row>[] = [
  { title: 'ratio', value: row => (row.void ? 'void' : ratio(row)) },
  { title: '95 %', value: interval },
  { title: 'ns/packet', value: row => both(row, ({ cost }) => cost) },
  { title: 'Mpps', value: row => both(row, mpps, 2) },
]

const goal: Column<Row> = {
  title: 'promised',
  value({ job, form, size, ratio }) {
    const promised = promise(job, form, size)
    if (promised === undefined) return ''
    const outcome = ratio && kept(promised, ratio.median, ratio.interval[1]) ? 'kept' : 'missed'
    return `${promised.toFixed(2)} ${outcome}`
  },
}

const quality: Column<Row>[] = [
  { title: 'empty polls %', value: row => both(row, ({ idleShare }) => idleShare * 100) },
  { title: 'of time %', value: row => both(row, ({ idleTimeShare }) => idleTimeShare * 100) },
  { title: 'fill', value: row => both(row, ({ fill }) => fill) },
  { title: 'pairs', value: ({ ratio }) => ratio?.count ?? 0 },
  { title: 'discarded', value: ({ discarded, slices }) => `${discarded}/${slices.length}` },
]

/** Returns the ratio for each class of core distance, with the number of pairs. */
const classes: Column<Row> = {
  title: 'by class',
  value: ({ ratioByClass }) =>
    Object.entries(ratioByClass)
      .map(([name, { median, count }]) => `${name} ${median.toFixed(2)} (${count})`)
      .join(', '),
}

const ringOf = ({ ring, mergeable }: Row): string => `split ${ring}${mergeable ? '' : ', not mergeable'}`

const turns: Column<Row> = {
  title: 'turns/s',
  value: row => middle(row, 'ours', ({ turns = 0, ns }) => (turns * 1e9) / ns, 0),
}

export const terminalTable = (rows: readonly Row[]): string =>
  textTable([...name, ...result, goal, ...quality, turns, classes], rows)

export function markdown(rows: readonly Row[], tscMHz: number): string {
  const columns: Column<Row>[] = [
    ...name,
    { title: 'ring', value: ringOf },
    ...result,
    goal,
    {
      title: 'spread (quartiles)',
      value: row => row.ratio?.quartiles.map(n => n.toFixed(2)).join('–') ?? '',
    },
    { title: 'cycles/packet', value: row => both(row, ({ cost }) => (cost * tscMHz) / 1000, 0) },
    { title: 'Gbit/s', value: row => both(row, slice => (mpps(slice) * row.size * 8) / 1000, 2) },
    { title: 'CPU %', value: row => both(row, ({ cpuShare }) => cpuShare * 100, 0) },
    { title: 'resident MiB', value: row => both(row, resident, 0) },
    ...quality,
    turns,
    { title: 'longest turn ms', value: row => middle(row, 'ours', ({ longestTurnMs = 0 }) => longestTurnMs) },
    { title: 'longest gc ms', value: row => middle(row, 'ours', ({ longestGcMs = 0 }) => longestGcMs) },
    classes,
  ]
  return `${markdownTable(...ratioTable(rows))}\n\n${markdownTable(columns, rows)}\n${voids(rows)}`
}

interface Ratios {
  job: Job
  size: number
  ring: string
  byForm: Partial<Record<Form, Row>>
}

/** Table with a row for each job, size and ring, and a column for each form. Packed rings will get separate rows. */
export function ratioTable(rows: readonly Row[]): [Column<Ratios>[], Ratios[]] {
  const found = new Map<string, Ratios>()
  for (const row of rows) {
    const { job, size } = row
    const key = `${job} ${size} ${ringOf(row)}`
    const ratios = found.get(key) ?? { job, size, ring: ringOf(row), byForm: {} }
    ratios.byForm[row.form] = row
    found.set(key, ratios)
  }
  const columns: Column<Ratios>[] = [
    { title: 'job', value: ({ job }) => job },
    { title: 'bytes', value: ({ size }) => size },
    { title: 'ring', value: ({ ring }) => ring },
    ...forms.map(form => ({
      title: form,
      value: ({ byForm }: Ratios) => {
        const row = byForm[form]
        return row === undefined ? '–' : row.void ? 'void' : ratio(row)
      },
    })),
  ]
  return [columns, [...found.values()]]
}

/** Lists the reasons why rows have no result. */
export function voids(rows: readonly Row[]): string {
  const lines = rows
    .filter(row => row.void)
    .map(row => `- ${row.job}, ${row.form}, ${row.size} bytes: void: ${row.void}`)
  return lines.length > 0 ? `\n${lines.join('\n')}\n` : ''
}
