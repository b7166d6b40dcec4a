// Asks: the effects of a session that native code answers with a result. The session waits for that result. Plain data.

/** The name of an fd that native code owns; 0 means no fd. */
export type FdToken = number

/**
 * A step has at most one ask, as its last effect. Until its result comes, the session handles only the end of the
 * connection.
 */
export type Ask =
  | { kind: 'map'; regions: bigint[]; fds: FdToken[] }
  /** fd 0: the ring has no fd from now on. Native code closes the previous fd. */
  | { kind: 'ring-fd'; ring: number; which: 0 | 1 | 2; fd: FdToken }
  | {
      kind: 'start-ring'
      ring: number
      size: number
      base: number
      flags: number
      /** Descriptors, used, available, log. */
      addresses: bigint[]
      features: bigint
    }
  | { kind: 'stop-ring'; ring: number; reason: string }
  /**
   * Checks a ring's fault: 1 = the current memory is gone, with the cause in `detail` if it is known; 0 = the fault was
   * about an earlier memory.
   */
  | { kind: 'look-at-memory'; ring: number }
  /** Regions are guest address, size, user address and offset, as in `map`. */
  | { kind: 'add-region'; region: bigint[]; fd: FdToken }
  | { kind: 'remove-region'; region: bigint[] }
  | { kind: 'set-log'; size: bigint; offset: bigint; fd: FdToken }
  | { kind: 'log-call'; fd: FdToken }
  /** Whether writes to buffers are marked. */
  | { kind: 'log-buffers'; on: boolean }
  /** Whether writes to a used ring are marked, and the ring's address in guest memory. */
  | { kind: 'log-ring'; ring: number; on: boolean; address: bigint }
  | { kind: 'mtu'; mtu: number }
  /** The socket on which this side may send requests to the front end. */
  | { kind: 'channel'; fd: FdToken }

const asks: Record<Ask['kind'], true> = {
  map: true,
  'ring-fd': true,
  'start-ring': true,
  'stop-ring': true,
  'look-at-memory': true,
  'add-region': true,
  'remove-region': true,
  'set-log': true,
  'log-call': true,
  'log-buffers': true,
  'log-ring': true,
  mtu: true,
  channel: true,
}

export const isAsk = (effect: { kind: string }): effect is Ask => effect.kind in asks

/**
 * Asks that worker threads carry out, since access to a front end's file can block for long. The result comes later.
 */
export type MemoryAsk = Extract<Ask, { kind: 'map' | 'add-region' | 'remove-region' | 'set-log' }>

export const isMemoryAsk = (ask: Ask): ask is MemoryAsk =>
  ask.kind === 'map' || ask.kind === 'add-region' || ask.kind === 'remove-region' || ask.kind === 'set-log'

/** The fds that an ask hands over; 0 means no fd. */
export function fdsOf(ask: Ask): FdToken[] {
  if ('fds' in ask) return ask.fds
  return 'fd' in ask && ask.fd !== 0 ? [ask.fd] : []
}
