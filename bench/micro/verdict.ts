// Checks the figures: compares ours with librte_vhost's of the same run, and with the committed record in record.json.
// These are pure functions; they start no process and read no file.
import type { Figure } from './measure.js'
import type { Toolchain } from './program.js'

/** Maximum ratio of our instructions to theirs. */
export const RATIO_LIMIT = 1.1

/**
 * Maximum relative difference of a figure above its record. All runs of one build have the same counts. But builds can
 * differ in memory addresses, and then memcpy takes a few instructions more or less.
 */
export const RECORD_MARGIN = 0.005

/** The tools on which our figures depend. */
const TOOLS = ['compiler', 'libc', 'valgrind', 'vectors'] as const

export interface MicroRecord {
  /** The tools of the record. A record of other tools can't show whether our code has changed. */
  toolchain: Pick<Toolchain, (typeof TOOLS)[number]>
  /** Our instructions per packet, by job, frame size and burst size: `dequeue-64-32`. */
  instructions: Record<string, number>
}

export interface Check {
  text: string
  ok: boolean
  skipped?: string
}

export const keyOf = ({ job, size, burst }: Figure): string => `${job}-${size}-${burst}`

export const oursOf = (figures: Figure[]): Figure[] => figures.filter(({ side }) => side === 'ours')

/** Returns librte_vhost's figure for the same job, if there is one. */
export const theirsOf = (figures: Figure[], ours: Figure): Figure | undefined =>
  figures.find(figure => figure.side === 'theirs' && keyOf(figure) === keyOf(ours))

/** Returns false for empty polls. The cost of an empty poll is not compared, because it does not matter under load. */
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
  if (!record || recorded === undefined) return { text: `${text}, but none are recorded`, ok: false }
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

/** Returns the record with all figures that are lower now; if the tools have changed, with all current figures. */
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
