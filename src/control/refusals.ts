// The reasons for which the session, or native code on its behalf, refuses a request. docs/errors.md explains each of
// them.

/** Reasons of the session, before it makes an ask. */
const bySession = [
  'msg_size',
  'msg_fds',
  'msg_unknown',
  'msg_value',
  'feature_invalid',
  'feature_running',
  'feature_gate',
  'mtu_range',
] as const

/**
 * Reasons of native code. The session finds some of them first. The compiler checks that none of src/addon/reasons.ts
 * is missing.
 */
const byNativeCode = [
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

export const refusals = [...bySession, ...byNativeCode] as const

/** `unknown_<n>`: a reason of an addon of another version. */
export type Refusal = (typeof refusals)[number] | `unknown_${number}`
