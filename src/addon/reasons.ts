// The closed list of reasons for which native code refuses or stops something: numbers in the addon, words in TypeScript.
// The order is that of native/core/base/result.h; test/layering.test.ts compares the two.

export const reasons = [
  'none',
  'fd_type',
  'mem_count',
  'mem_range',
  'mem_overlap',
  'mem_file_size',
  'mem_map',
  'mem_fs_type',
  'mem_missing',
  'vq_size',
  'vq_index',
  'vq_addr',
  'vq_align',
  'vq_base',
  'vq_running',
  'head_range',
  'avail_jump',
  'head_dup',
  'next_range',
  'chain_loop',
  'malformed_budget',
  'memory_revoked',
  'call_stuck',
  'device_gone',
  'log_range',
  'log_overflow',
  'kick_watch',
] as const

export type Reason = (typeof reasons)[number]

/** The word for the number of a failure, of either sign; `unknown_<n>` for one that is not in the list. */
export function reasonWord(number: number): Exclude<Reason, 'none'> | `unknown_${number}` {
  const index = Math.abs(number)
  return index > 0 && index < reasons.length
    ? (reasons[index] as Exclude<Reason, 'none'>)
    : `unknown_${index}`
}

export const reasonNumber = (word: Reason): number => reasons.indexOf(word)
