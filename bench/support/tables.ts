// Tables for a terminal and for Markdown, and where results are saved: bench/results/NAME.json and NAME.md. git ignores
// them, except those whose names begin with `reference`: these the documentation cites.
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { dirname, resolve } from 'node:path'
import { root } from './program.js'

export interface Column<Row> {
  title: string
  /** Numbers are shown as they come; round them here. */
  value(row: Row): string | number
}

const cellsOf = <Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[][] => [
  columns.map(({ title }) => title),
  ...rows.map(row => columns.map(({ value }) => String(value(row)))),
]

/** Words to the left, numbers to the right. */
const isNumber = (cell: string): boolean => /^[-–]?\d/.test(cell) || cell === '' || cell === '–'

export function textTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = cellsOf(columns, rows)
  const right = columns.map((_, c) => cells.slice(1).every(line => isNumber(line[c])))
  const widths = columns.map((_, c) => Math.max(...cells.map(line => line[c].length)))
  return cells
    .map(line =>
      line
        .map((cell, c) => (right[c] ? cell.padStart(widths[c]) : cell.padEnd(widths[c])))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

export function markdownTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = cellsOf(columns, rows)
  const rule = columns.map((_, c) => (cells.slice(1).every(line => isNumber(line[c])) ? '--:' : '---'))
  return [cells[0], rule, ...cells.slice(1)].map(line => `| ${line.join(' | ')} |`).join('\n')
}

/** What a result depends on besides the code. */
export function machine(): Record<string, string | number> {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    date: new Date().toISOString(),
  }
}

/** Saves a result under bench/results/, or where `name` says if it is a path; returns the paths of both files. */
export function saveResult(name: string, result: unknown, markdown: string): string[] {
  const path = resolve(root, 'bench', 'results', name)
  mkdirSync(dirname(path), { recursive: true })
  const paths = ['json', 'md'].map(ending => `${path}.${ending}`)
  writeFileSync(paths[0], `${JSON.stringify(result, undefined, 2)}\n`)
  writeFileSync(paths[1], `${markdown.trimEnd()}\n`)
  return paths
}
