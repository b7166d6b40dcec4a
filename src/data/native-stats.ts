// The names of a ring's native counters, in the order of `enum Stat` in native/core/virtqueue/virtqueue.h.

export const STATS = [
  'packets',
  'bytes',
  'calls',
  'calls_suppressed',
  'call_errors',
  'bad_buffers',
  'checksums',
  'short',
  'empty',
  'runt',
  'too_long',
  'direction',
  'address',
  'indirect',
  'fragments',
  'csum_bounds',
  'gso',
  'feature',
  'rx_too_small',
  'offload',
  'revoked',
] as const

const FIRST_DROP = STATS.indexOf('short')

/** The counters that are packets dropped, by reason. */
export const DROP_STATS: readonly (readonly [number, string])[] = STATS.map(
  (name, index) => [index, name] as const,
).slice(FIRST_DROP)
