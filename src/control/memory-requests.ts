// The requests that set the table of the guest's memory, or add and remove single regions. Each has a `begin`, which
// checks the request and returns the asks for native code, and changes nothing. results.ts changes the state. (vhost-user
// "Front-end message types", VHOST_USER_SET_MEM_TABLE, _GET_MAX_MEM_SLOTS, _ADD_MEM_REG, _REM_MEM_REG.)
import {
  decodeRegion,
  decodeRegionCount,
  decodeRegions,
  encodeU64,
  REGION_SIZE,
  TABLE_HEADER_SIZE,
} from './codec.js'
import type { MemoryRegion } from './events.js'
import { hasProtocol, hasVirtio } from './features.js'
import type { Handler } from './handler.js'
import { findRegion, MAX_REGIONS, MAX_SLOTS, regionFault, sameTable, tableFault, touches } from './memory.js'
import { ringFault } from './ring-layout.js'
import type { Ask, Message, State } from './types.js'

/** Stops the running rings that are not inside this table, before the old table is dropped. */
const stopsFor = (state: State, regions: MemoryRegion[]): Ask[] =>
  state.rings.flatMap((ring, i): Ask[] =>
    ring.running &&
    ring.addresses &&
    ringFault(regions, ring.addresses, ring.size, hasVirtio(state.features, 'EVENT_IDX'))
      ? [{ kind: 'stop-ring', ring: i, reason: 'memory' }]
      : [],
  )

const isCurrent = (state: State, regions: MemoryRegion[]): boolean =>
  !state.revoked && sameTable(state.regions, regions)

const wordsOf = (r: MemoryRegion): bigint[] => [r.guest, r.size, r.user, r.offset]

export const setMemTable: Handler = {
  begin(state, { payload, fds }: Message) {
    const count = decodeRegionCount(payload)
    // The count, the payload size and the number of fds must agree.
    if (count === 0 || count > MAX_REGIONS || count !== fds.length) return 'mem_count'
    if (payload.length !== TABLE_HEADER_SIZE + REGION_SIZE * count) return 'msg_size'
    const regions = decodeRegions(payload)
    const fault = tableFault(regions)
    if (fault) return fault
    // QEMU sends the same table again when a device is plugged in. The mapping stays, and the rings continue.
    if (isCurrent(state, regions)) return []
    return [...stopsFor(state, regions), { kind: 'map', regions: regions.flatMap(wordsOf), fds }]
  },
  mayCostRings: true,
  refuse(draft, { payload, fds }) {
    if (fds.length === 0 || decodeRegionCount(payload) === 0) draft.notShared()
  },
}

const hasSlots = (state: State): boolean => hasProtocol(state.protocolFeatures, 'CONFIGURE_MEM_SLOTS')

/** A front end that reconnects refuses a number smaller than before. */
export const getMaxMemSlots: Handler = {
  begin: state => (hasSlots(state) ? [] : 'feature_gate'),
  finish: () => encodeU64(BigInt(MAX_SLOTS)),
}

// QEMU before 8.0 adds and removes each region once per queue pair, so a repeated request succeeds without effect.

export const addMemReg: Handler = {
  begin(state, { payload, fds }) {
    if (!hasSlots(state)) return 'feature_gate'
    const region = decodeRegion(payload)
    if (findRegion(state.regions, region) >= 0 && !state.revoked) return []
    const fault = regionFault(state.regions, region)
    if (fault) return fault
    if (state.regions.length >= MAX_SLOTS) return 'mem_count'
    return [{ kind: 'add-region', region: wordsOf(region), fd: fds[0] }]
  },
  mayCostRings: true,
}

export const remMemReg: Handler = {
  begin(state, { payload }) {
    if (!hasSlots(state)) return 'feature_gate'
    const region = decodeRegion(payload)
    const at = findRegion(state.regions, region)
    // A region that is only a part of a known one, or at another address, can't be removed.
    if (at < 0) return state.regions.some(there => touches(there, region)) ? 'mem_overlap' : []
    const rest = state.regions.toSpliced(at, 1)
    return [...stopsFor(state, rest), { kind: 'remove-region', region: wordsOf(region) }]
  },
  mayCostRings: true,
}
