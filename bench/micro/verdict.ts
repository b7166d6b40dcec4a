// What must hold of the figures: ours against librte_vhost's of the same run, and against the record that is committed
// beside this file. No process, no file: what is given decides.
import type { Figure } from './measure.js'
import type { Toolchain } from './program.js'

/** Ours at most so many times theirs. */
export const RATIO_LIMIT = 1.1

/**
 * How far a figure may lie above its record. The counts of one build are the same in each run; what is left is memory
 * that comes to lie differently, by which libc's copy takes an instruction more or less.
 */
export const RECORD_MARGIN = 0.005

/** What our figures depend on besides our code. */
const TOOLS = ['compiler', 'libc', 'valgrind', 'vectors'] as const

export interface MicroRecord {
  /** A record of another compiler or libc says nothing about a change of ours. */
  toolchain: Pick<Toolchain, (typeof TOOLS)[number]>
  /** Ours, by job, bytes and burst: `dequeue-64-32`. Instructions per packet. */
  instructions: Record<string, number>
}

export interface Check {
  text: string
  ok: boolean
  skipped?: string
}

export const keyOf = ({ job, size, burst }: Figure): string => `${job}-${size}-${burst}`

export const oursOf = (figures: Figure[]): Figure[] => figures.filter(({ side }) => side === 'ours')

/** librte_vhost's figure for the same, if there is one. */
export const theirsOf = (figures: Figure[], ours: Figure): Figure | undefined =>
  figures.find(figure => figure.side === 'theirs' && keyOf(figure) === keyOf(ours))

/** An empty poll moves nothing: what it costs says nothing about a back end that has work. */
const movesPackets = ({ job }: Figure): boolean => job !== 'dequeue-empty'

const two = (value: number): string => value.toFixed(2)

export function sameTools(record: MicroRecord, found: Toolchain): boolean {
  return TOOLS.every(part => record.toolchain[part] === found[part])
}

function againstTheirs(figures: Figure[], ours: Figure): Check[] {
  const theirs = theirsOf(figures, ours)
  if (!theirs) return []
  const ratio = ours.instructions / theirs.instructions
  const text = `${keyOf(ours)} takes ${two(ratio)} x librte_vhost's instructions, at most ${RATIO_LIMIT}`
  return [{ text, ok: ratio <= RATIO_LIMIT }]
}

function againstRecord(ours: Figure, record: MicroRecord | undefined, found: Toolchain): Check {
  const recorded = record?.instructions[keyOf(ours)]
  const text = `${keyOf(ours)} takes ${two(ours.instructions)} instructions`
  if (!record || recorded === undefined) return { text: `${text}, and none are recorded`, ok: false }
  if (!sameTools(record, found))
    return { text, ok: true, skipped: `recorded with ${Object.values(record.toolchain).join(', ')}` }
  return {
    text: `${text}, ${two(recorded)} are recorded`,
    ok: ours.instructions <= recorded * (1 + RECORD_MARGIN),
  }
}

export function verdict(figures: Figure[], record: MicroRecord | undefined, found: Toolchain): Check[] {
  const ours = oursOf(figures)
  return [
    ...ours.filter(movesPackets).flatMap(figure => againstTheirs(figures, figure)),
    ...ours.map(figure => againstRecord(figure, record, found)),
  ]
}

/** The record with every figure that is lower now; with all of them, if the tools are others than those recorded. */
export function lowered(figures: Figure[], record: MicroRecord | undefined, found: Toolchain): MicroRecord {
  const { compiler, libc, valgrind, vectors } = found
  const known = record && sameTools(record, found) ? record.instructions : {}
  const instructions = Object.fromEntries(
    oursOf(figures).map(ours => {
      const now = Math.round(ours.instructions * 100) / 100
      return [keyOf(ours), Math.min(now, known[keyOf(ours)] ?? now)]
    }),
  )
  return { toolchain: { compiler, libc, valgrind, vectors }, instructions }
}
