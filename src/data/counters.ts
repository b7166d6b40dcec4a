// Counters by reason, and the names of those that a ring keeps natively.

/** Counters of a ring in the order of `enum Stat` in native/core/virtqueue/virtqueue.h. */
export const STAT_NAMES = [
  'packets',
  'bytes',
  'calls',
  'calls-suppressed',
  'call-errors',
  'bad-buffers',
  'checksums',
  'bursts',
  'idle-bursts',
  'short',
  'empty',
  'runt',
  'too-long',
  'direction',
  'address',
  'indirect',
  'fragments',
  'csum-bounds',
  'gso',
  'feature',
  'rx-too-small',
  'offload',
  'revoked',
  'mtu',
] as const

/** The first of STAT_NAMES that is a reason for a drop. */
export const FIRST_DROP = STAT_NAMES.indexOf('short')

/** Adds `more` to `sums`. */
export function mergeDrops(sums: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [reason, count] of Object.entries(more)) sums[reason] = (sums[reason] ?? 0) + count
}
