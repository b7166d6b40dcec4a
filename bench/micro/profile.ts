// Reports the instructions of a job by function and by line of our source. Reads callgrind's output with uncompressed
// names and positions (Valgrind manual, "Callgrind Format Specification"). Counts self cost only: the cost of a
// called function is not added to the caller.
import { existsSync, readFileSync } from 'node:fs'
import { isAbsolute, normalize, relative } from 'node:path'
import { root } from '../support/program.js'

export interface LineCost {
  file: string
  line: number
  function: string
  instructions: number
}

export function parseProfile(text: string): LineCost[] {
  const costs = new Map<string, LineCost>()
  let file = ''
  let name = ''
  let called = false
  for (const row of text.split('\n')) {
    const [, key, value] = row.match(/^(fl|fi|fe|fn|calls|ob)=(.*)$/) ?? []
    // `fi` and `fe` name the file of code that is inlined into the current function.
    if (key === 'fl' || key === 'fi' || key === 'fe') file = value
    else if (key === 'fn') name = value
    if (key === 'calls') called = true
    const [, line, cost] = row.match(/^(\d+) (\d+)$/) ?? []
    if (line === undefined) continue
    // The row after `calls` has the inclusive cost of the called function, so ignore it.
    if (!called) {
      const at = `${file}:${line}:${name}`
      const known = costs.get(at)
      if (known) known.instructions += Number(cost)
      else costs.set(at, { file, line: Number(line), function: name, instructions: Number(cost) })
    }
    called = false
  }
  return [...costs.values()]
}

/** Returns paths in the repository relative to its root, and other paths unchanged. */
function place(file: string): string {
  const path = isAbsolute(file) ? relative(root, normalize(file)) : file
  return path.startsWith('..') ? file : path
}

/** Returns a function name without parameters and anonymous namespaces. */
const readable = (name: string): string => name.replaceAll('(anonymous namespace)::', '').replace(/\(.*$/, '')

const sum = (lines: LineCost[]): number => lines.reduce((total, line) => total + line.instructions, 0)

function grouped(lines: LineCost[], key: (line: LineCost) => string): [string, LineCost[]][] {
  const groups = new Map<string, LineCost[]>()
  for (const line of lines) groups.set(key(line), [...(groups.get(key(line)) ?? []), line])
  return [...groups].sort(([, a], [, b]) => sum(b) - sum(a))
}

/** Returns a report of instructions per packet, without entries below `least` instructions. */
export function report(profile: string, units: number, least = 0.25): string {
  const lines = parseProfile(readFileSync(profile, 'utf8'))
  const cost = (some: LineCost[]): string => (sum(some) / units).toFixed(2).padStart(8)
  const worth = (some: LineCost[]): boolean => sum(some) / units >= least
  const out = [`${cost(lines)}  all`, '', 'By function:']
  for (const [name, some] of grouped(lines, line => line.function))
    if (worth(some)) out.push(`${cost(some)}  ${readable(name)}`)
  out.push('', 'By line of our source:')
  for (const [file, some] of grouped(lines, line => place(line.file))) {
    if (!worth(some) || !file.startsWith('native/') || !existsSync(`${root}/${file}`)) continue
    const source = readFileSync(`${root}/${file}`, 'utf8').split('\n')
    out.push('', `${cost(some)}  ${file}`)
    const byLine = grouped(some, line => String(line.line)).sort(([a], [b]) => Number(a) - Number(b))
    for (const [line, those] of byLine)
      if (worth(those)) out.push(`${cost(those)}  ${line.padStart(4)}  ${source[Number(line) - 1] ?? ''}`)
  }
  return out.join('\n')
}
