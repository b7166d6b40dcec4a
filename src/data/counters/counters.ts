// The counters of a ring and of the queue on it, as one list of numbers: their names, and how to read them out of native
// memory. totals.ts makes sums and differences of such lists.

import { RING_COUNTERS, RING_DROPS } from './declared.js'

export { RING_COUNTERS } from './declared.js'

/** From here on, each of RING_COUNTERS counts drops and has the name of their reason. */
const FIRST_DROP = RING_COUNTERS.length - RING_DROPS.length

/** The ring's counters, then the queue's own: kicks that it was told of, and stops for lack of credit or of room. */
export const COUNTERS = [...RING_COUNTERS, 'kicks', 'stalls'] as const

export type Counter = (typeof COUNTERS)[number]

/** One number for each of COUNTERS. */
export type Counters = Float64Array

export const newCounters = (): Counters => new Float64Array(COUNTERS.length)

/** All zeros. Shared, since most queues never followed another ring before: nobody writes to it. */
export const NO_COUNTERS: Counters = newCounters()

/** Something that counts: a port on a ring. */
export interface CounterSource {
  /** Adds what was counted so far to `sums`. */
  count(sums: Counters): void
}

/** The index of a counter in COUNTERS. */
export const counterAt = (name: Counter): number => COUNTERS.indexOf(name)

/** Adds the counters of a ring, from word `at` on. Each is 64 bits in two words, the lower word first. */
export function addWords(sums: Counters, words: Uint32Array, at = 0): void {
  for (let i = 0; i < RING_COUNTERS.length; i++)
    sums[i] += words[at + 2 * i + 1] * 2 ** 32 + words[at + 2 * i]
}

export function addCounters(sums: Counters, more: Counters): void {
  for (let i = 0; i < sums.length; i++) sums[i] += more[i]
}

const GOOD_PACKETS = counterAt('good_packets')
const GOOD_BYTES = counterAt('good_bytes')
const MULTICAST = counterAt('multicast_packets')
const BROADCAST = counterAt('broadcast_packets')
const UNDERSIZE = counterAt('undersize_packets')
const BIN_65_127 = counterAt('size_65_127_packets')
const BIN_1024_1518 = counterAt('size_1024_1518_packets')

function sizeBin(length: number): number {
  if (length <= 64) return UNDERSIZE + (length >> 6)
  if (length < 1024) return BIN_65_127 + 25 - Math.clz32(length)
  return BIN_1024_1518 + (length > 1518 ? 1 : 0)
}

/** Counts one frame as native/core/net/frame_counters.h does. For ports without a native ring. */
export function countFrame(counters: Counters, bytes: Uint8Array, from: number, length: number): void {
  counters[GOOD_PACKETS]++
  counters[GOOD_BYTES] += length
  counters[sizeBin(length)]++
  if ((bytes[from] & 1) === 0) return
  let all = true
  for (let i = 0; i < 6; i++) all &&= bytes[from + i] === 0xff
  counters[all ? BROADCAST : MULTICAST]++
}

/** Adds `more` to `sums`. */
export function mergeDrops(sums: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [reason, count] of Object.entries(more)) sums[reason] = (sums[reason] ?? 0) + count
}

/** Adds the drops among the counters to `sums`. */
export function mergeRingDrops(sums: Record<string, number>, counters: Counters): void {
  for (let i = FIRST_DROP; i < RING_COUNTERS.length; i++)
    if (counters[i] > 0) sums[RING_COUNTERS[i]] = (sums[RING_COUNTERS[i]] ?? 0) + counters[i]
}
