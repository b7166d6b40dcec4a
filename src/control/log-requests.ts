// The requests of a live migration, which give the dirty log and the fd that signals changes to it. SET_FEATURES
// (VHOST_F_LOG_ALL) turns the logging of buffers on, and SET_VRING_ADDR (VHOST_VRING_F_LOG) that of a used ring.
// (vhost-user "Migration", VHOST_USER_SET_LOG_BASE, _SET_LOG_FD.)
import { decodeLog, encodeU64, type LogPlace } from './codec.js'
import { hasProtocol } from './features.js'
import type { Handler } from './handler.js'
import { TOP } from './memory.js'
import type { Refusal } from './refusals.js'
import type { State } from './types.js'

/** One bit per page of 4 KiB. */
const BYTES_A_LOG_BYTE = 8n * 4096n

/** True if a log of that size has a bit for the page of each of these bytes. */
export const logCovers = (size: bigint, address: bigint, length: bigint): boolean =>
  length === 0n || (address + length <= TOP && (address + length - 1n) / BYTES_A_LOG_BYTE < size)

function logFault(state: State, { size, offset }: LogPlace): Refusal | undefined {
  if (size === 0n || size + offset > TOP) return 'log_range'
  return state.regions.every(region => logCovers(size, region.guest, region.size)) ? undefined : 'log_range'
}

/**
 * QEMU repeats this request, before version 8.0 once per queue pair. It always gets a reply, because QEMU waits for it.
 */
export const setLogBase: Handler = {
  begin(state, { payload, fds }) {
    if (!hasProtocol(state.protocolFeatures, 'LOG_SHMFD')) return 'feature_gate'
    const place = decodeLog(payload)
    return logFault(state, place) ?? [{ kind: 'set-log', ...place, fd: fds[0] }]
  },
  finish: () => encodeU64(0n),
}

export const setLogFd: Handler = {
  begin: (_, { fds }) => [{ kind: 'log-call', fd: fds[0] }],
}
