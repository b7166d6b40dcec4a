// Formats tables for a terminal and for Markdown, and saves results as bench/results/NAME.json and NAME.md. git ignores
// these files, except files whose names begin with `reference`, which the documentation cites.
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { dirname, resolve } from 'node:path'
import { root } from './program.js'

export interface Column<Row> {
  title: string
  /** Returns the value of a cell. Numbers are printed unchanged, so this function must round them. */
  value(row: Row): string | number
}

const cellsOf = <Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[][] => [
  columns.map(({ title }) => title),
  ...rows.map(row => columns.map(({ value }) => String(value(row)))),
]

/** Returns true for cells that are right-aligned; text is left-aligned. */
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

/** Describes the machine, because results depend on it. */
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

/** Saves a result in bench/results/, or at `name` if it is a path. Returns the paths of both files. */
export function saveResult(name: string, result: unknown, markdown: string): string[] {
  const path = resolve(root, 'bench', 'results', name)
  mkdirSync(dirname(path), { recursive: true })
  const paths = ['json', 'md'].map(ending => `${path}.${ending}`)
  writeFileSync(paths[0], `${JSON.stringify(result, undefined, 2)}\n`)
  writeFileSync(paths[1], `${markdown.trimEnd()}\n`)
  return paths
}
