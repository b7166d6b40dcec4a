// The requests about one ring. They only store what the front end wants. Since they come in any order, reconcile.ts then
// decides whether the ring runs. (vhost-user "Ring states", "Starting
// and stopping rings"; virtio 1.2, 2.7.)
import {
  decodeU64,
  decodeVringAddresses,
  decodeVringState,
  encodeVringState,
  NO_FD,
  type VringState,
} from './codec.js'
import type { Handler } from './handler.js'
import { kinds } from './kinds/index.js'
import { logCovers } from './log-requests.js'
import type { Refusal } from './refusals.js'
import { alignmentFault, loggedBytes } from './ring-layout.js'
import type { Ask, Message, State } from './types.js'

const MAX_RING_SIZE = 32768
const ADDRESS_FLAG_LOG = 1

/** Compares the whole index: 0x10001 is not ring 1. */
const indexFault = (state: State, index: number): Refusal | undefined =>
  index < kinds[state.kind].ringLimit(state) ? undefined : 'vq_index'

const stoppedRingFault = (state: State, { index }: VringState): Refusal | undefined =>
  indexFault(state, index) ?? (state.rings[index]?.running ? 'vq_running' : undefined)

export const setVringNum: Handler = {
  begin(state, { payload }) {
    const { index, value } = decodeVringState(payload)
    const powerOfTwo = value >= 2 && value <= MAX_RING_SIZE && (value & (value - 1)) === 0
    return stoppedRingFault(state, { index, value }) ?? (powerOfTwo ? [] : 'vq_size')
  },
  finish(draft, { payload }) {
    const { index, value } = decodeVringState(payload)
    const ring = draft.ring(index)
    ring.size = value
    ring.latched = ''
  },
}

export const setVringBase: Handler = {
  begin: (state, { payload }) => stoppedRingFault(state, decodeVringState(payload)) ?? [],
  finish(draft, { payload }) {
    const { index, value } = decodeVringState(payload)
    const ring = draft.ring(index)
    // Some front ends put the used index into the upper half. Since buffers complete in order, both halves are equal.
    ring.base = value & 0xffff
    ring.latched = ''
  },
}

export const setVringAddr: Handler = {
  begin(state, { payload }) {
    const { index, addresses } = decodeVringAddresses(payload)
    const fault = indexFault(state, index) ?? alignmentFault(addresses)
    if (fault) return fault
    if (addresses.flags & ~ADDRESS_FLAG_LOG) return 'msg_value'
    const ring = state.rings[index]
    const on = (addresses.flags & ADDRESS_FLAG_LOG) !== 0
    if (on && state.log > 0n && !logCovers(state.log, addresses.log, loggedBytes(ring?.size ?? 0)))
      return 'log_range'
    if (!ring?.running || !ring.addresses) return []
    const { addresses: before } = ring
    // A migration turns logging on and off while the ring runs. The ring need not stop for that.
    const moved = (['descriptors', 'available', 'used'] as const).some(
      part => addresses[part] !== before[part],
    )
    if (!moved) return [{ kind: 'log-ring', ring: index, on, address: addresses.log }]
    return [{ kind: 'stop-ring', ring: index, reason: 'address' }]
  },
  finish(draft, { payload }) {
    const { index, addresses } = decodeVringAddresses(payload)
    const ring = draft.ring(index)
    ring.addresses = addresses
    ring.latched = ''
  },
}

/** Stops the ring. Also if it was not running, only a new kick fd can start it again. */
export const getVringBase: Handler = {
  begin(state, { payload }) {
    const { index } = decodeVringState(payload)
    const fault = indexFault(state, index)
    if (fault) return fault
    const ring = state.rings[index]
    if (ring === undefined) return []
    const asks: Ask[] = ring.running ? [{ kind: 'stop-ring', ring: index, reason: 'base' }] : []
    if (ring.kick === 'fd') asks.push({ kind: 'ring-fd', ring: index, which: 0, fd: 0 })
    if (ring.call === 'fd') asks.push({ kind: 'ring-fd', ring: index, which: 1, fd: 0 })
    return asks
  },
  finish(draft, { payload }) {
    const { index } = decodeVringState(payload)
    const ring = draft.ring(index)
    ring.kick = 'unset'
    ring.call = 'unset'
    ring.latched = ''
    draft.state.leaving = true
    return encodeVringState({ index, value: ring.base })
  },
}

/** The ring's index is the low byte of the word. */
const ringOf = (payload: Uint8Array): number => payload[0]

function beginRingFd(state: State, { payload, fds }: Message, which: 0 | 1 | 2): Ask[] | Refusal {
  const value = decodeU64(payload)
  if (value & ~0x1ffn) return 'vq_index'
  const ring = ringOf(payload)
  const fault = indexFault(state, ring)
  if (fault) return fault
  const withoutFd = (value & BigInt(NO_FD)) !== 0n
  // A message that should bring an fd and brings none is not the same as "no fd".
  if (withoutFd !== (fds.length === 0)) return 'msg_fds'
  return [{ kind: 'ring-fd', ring, which, fd: fds[0] ?? 0 }]
}

/** Starts the ring, or replaces the fd of a running ring. */
export const setVringKick: Handler = {
  begin: (state, message) => beginRingFd(state, message, 0),
  finish(draft, { payload, fds }) {
    const ring = draft.ring(ringOf(payload))
    ring.kick = fds.length ? 'fd' : 'none'
    ring.latched = ''
  },
}

/** May come at any time: QEMU replaces the fd when the guest masks its interrupt. */
export const setVringCall: Handler = {
  begin: (state, message) => beginRingFd(state, message, 1),
  finish(draft, { payload, fds }) {
    draft.ring(ringOf(payload)).call = fds.length ? 'fd' : 'none'
  },
}

export const setVringErr: Handler = { begin: (state, message) => beginRingFd(state, message, 2) }

/** QEMU 7.2 sends this request first, before memory and addresses, so it is only stored. */
export const setVringEnable: Handler = {
  begin(state, { payload }) {
    const { index, value } = decodeVringState(payload)
    return indexFault(state, index) ?? (value > 1 ? 'msg_value' : [])
  },
  finish(draft, { payload }) {
    const { index, value } = decodeVringState(payload)
    draft.ring(index).enabled = value === 1
  },
}
