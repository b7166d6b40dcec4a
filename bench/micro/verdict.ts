// What must hold of the figures: ours against librte_vhost's of the same run, and against the record that is committed
// beside this file's source. Pure, but for the figures that it is given.

import type { Figure } from './measure.js'
import type { Toolchain } from './program.js'

/** Ours at most so many times theirs. */
export const RATIO_LIMIT = 1.1

/**
 * How far a figure may lie above its record. The counts of one build are the same in each run; what is left is memory
 * that comes to lie differently, by which libc's copy takes an instruction more or less.
 */
export const RECORD_MARGIN = 0.005

export interface Record_ {
  /** A record of another compiler or libc says nothing about a change of ours. */
  toolchain: Pick<Toolchain, 'compiler' | 'libc' | 'valgrind'>
  /** Ours, by job, bytes and burst: `dequeue-64-32`. Instructions per packet. */
  instructions: Record<string, number>
}

export interface Check {
  text: string
  ok: boolean
  skipped?: string
}

export const keyOf = ({ job, size, burst }: Figure): string => `${job}-${size}-${burst}`

export const theirsOf = (figures: Figure[], ours: Figure): Figure | undefined =>
  figures.find(({ side, ...figure }) => side === 'theirs' && keyOf({ side, ...figure }) === keyOf(ours))

const isPerPacket = ({ job }: Figure): boolean => job === 'dequeue' || job === 'enqueue'

export const oursOf = (figures: Figure[]): Figure[] => figures.filter(({ side }) => side === 'ours')

const two = (value: number): string => value.toFixed(2)

export function sameToolchain(record: Record_, found: Toolchain): boolean {
  return (['compiler', 'libc', 'valgrind'] as const).every(part => record.toolchain[part] === found[part])
}

export function verdict(figures: Figure[], record: Record_ | undefined, found: Toolchain): Check[] {
  const checks: Check[] = []
  for (const ours of oursOf(figures).filter(isPerPacket)) {
    const theirs = theirsOf(figures, ours)
    if (!theirs) continue
    const ratio = ours.instructions / theirs.instructions
    checks.push({
      text: `${ours.job} of ${ours.size} bytes takes ${two(ratio)} x librte_vhost's instructions, at most ${RATIO_LIMIT}`,
      ok: ratio <= RATIO_LIMIT,
    })
  }
  for (const ours of oursOf(figures)) {
    const recorded = record?.instructions[keyOf(ours)]
    const text = `${keyOf(ours)} takes ${two(ours.instructions)} instructions, recorded ${recorded === undefined ? 'none' : two(recorded)}`
    if (recorded === undefined) checks.push({ text, ok: false })
    else if (!sameToolchain(record!, found))
      checks.push({ text, ok: true, skipped: `recorded with ${Object.values(record!.toolchain).join(', ')}` })
    else checks.push({ text, ok: ours.instructions <= recorded * (1 + RECORD_MARGIN) })
  }
  return checks
}

/** The record with every figure that is lower now; with all of them, if the tools are others than those recorded. */
export function lowered(figures: Figure[], record: Record_ | undefined, found: Toolchain): Record_ {
  const { compiler, libc, valgrind } = found
  const known = record && sameToolchain(record, found) ? record.instructions : {}
  const instructions = Object.fromEntries(
    oursOf(figures).map(ours => {
      const now = Math.round(ours.instructions * 100) / 100
      return [keyOf(ours), Math.min(now, known[keyOf(ours)] ?? now)]
    }),
  )
  return { toolchain: { compiler, libc, valgrind }, instructions }
}
