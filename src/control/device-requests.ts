// Requests about the device as a whole: features, owner, status, memory. Each has a `begin` that checks, without
// changing anything, and names what must be asked of native code, and a `finish` that changes the state once all of
// that has succeeded. (vhost-user "Front-end message types"; virtio 1.2, 2.1 for the status.)
import {
  decodeRegionCount,
  decodeRegions,
  decodeU64,
  encodeU64,
  REGION_SIZE,
  TABLE_HEADER_SIZE,
} from './codec.js'
import { MEMORY_DEADLINE_MS, STATUS_FEATURES_OK } from './draft.js'
import type { MemoryRegion } from './events.js'
import { hasProtocol, hasVirtio } from './features.js'
import { MAX_REGIONS, ringFault, sameTable, tableFault } from './memory.js'
import type { Handler } from './requests.js'
import type { Ask, Message, State } from './types.js'

/** Also QEMU's barrier: sent at any time, so it changes nothing. */
export const getFeatures: Handler = { finish: ({ state }) => encodeU64(state.offered.features) }

export const setFeatures: Handler = {
  begin(state, { payload }) {
    const features = decodeU64(payload)
    if (features & ~state.offered.features) return 'feature_invalid'
    // The header's length and the ring's layout hang on them.
    if (features !== state.features && state.rings.some(ring => ring.running)) return 'feature_running'
    return []
  },
  finish(draft, { payload }) {
    const { state } = draft
    const features = decodeU64(payload)
    if (!state.negotiated || features !== state.features)
      draft.tell({ type: 'negotiated', features, protocolFeatures: state.protocolFeatures })
    state.features = features
    state.negotiated = true
    // QEMU enables its rings before it starts the device, and sends nothing at all any more when it finds that it has
    // no memory to share. virtio-user, which may take its time here, has enabled none yet.
    if (expectsMemory(state)) draft.effects.push({ kind: 'deadline', ms: MEMORY_DEADLINE_MS })
  },
}

export const expectsMemory = (state: State): boolean =>
  state.negotiated && state.regions.length === 0 && state.rings.some(ring => ring.enabled === true)

export const getProtocolFeatures: Handler = {
  finish: ({ state }) => encodeU64(state.offered.protocolFeatures),
}

export const setProtocolFeatures: Handler = {
  begin: (state, { payload }) =>
    decodeU64(payload) & ~state.offered.protocolFeatures ? 'feature_invalid' : [],
  finish({ state }, { payload }) {
    state.protocolFeatures = decodeU64(payload)
  },
}

/** In pairs, as QEMU's net devices count them. */
export const getQueueNum: Handler = { finish: ({ state }) => encodeU64(BigInt(state.offered.queuePairs)) }

/** May be missing (virtio-user after a reconnect) or repeated. */
export const setOwner: Handler = {}

/** Deprecated, and read in two ways: the harmless one is to disable the rings. */
export const resetOwner: Handler = {
  finish(draft) {
    for (const ring of draft.state.rings) ring.enabled = false
    draft.state.leaving = true
  },
}

const hasStatus = (state: State): boolean => hasProtocol(state.protocolFeatures, 'STATUS')

export const getStatus: Handler = {
  begin: state => (hasStatus(state) ? [] : 'feature_gate'),
  finish: ({ state }) => encodeU64(BigInt(state.status)),
}

export const setStatus: Handler = {
  begin(state, { payload }) {
    if (!hasStatus(state)) return 'feature_gate'
    return decodeU64(payload) > 0xffn ? 'msg_value' : []
  },
  finish(draft, { payload }) {
    const { state } = draft
    let status = Number(decodeU64(payload))
    // The driver reads it back to see whether its features were taken.
    if (!state.negotiated) status &= ~STATUS_FEATURES_OK
    if (status === state.status) return
    state.status = status
    draft.tell({ type: 'status', value: status })
    // A reset stops the rings (see reconcile) and clears no index: QEMU before 8.1 asks for the bases only after it.
    if (status === 0) state.leaving = true
  },
}

/** Rings that run and would have no memory under this table: they stop before the old one goes. */
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

const mapAsk = (regions: MemoryRegion[], message: Message): Ask => ({
  kind: 'map',
  regions: regions.flatMap(r => [r.guest, r.size, r.user, r.offset]),
  fds: message.fds,
})

export const setMemTable: Handler = {
  begin(state, message) {
    const { payload, fds } = message
    const count = decodeRegionCount(payload)
    // The count, the size and the fds are three claims about one number: none is believed alone.
    if (count === 0 || count > MAX_REGIONS || count !== fds.length) return 'mem_count'
    if (payload.length !== TABLE_HEADER_SIZE + REGION_SIZE * count) return 'msg_size'
    const regions = decodeRegions(payload)
    const fault = tableFault(regions)
    if (fault) return fault
    // QEMU sends the table again when a device is plugged in; the mapping stays, and so do the rings.
    if (isCurrent(state, regions)) return []
    return [...stopsFor(state, regions), mapAsk(regions, message)]
  },
  mayCostRings: true,
  refuse(draft, { payload, fds }) {
    if (fds.length === 0 || decodeRegionCount(payload) === 0) draft.notShared()
  },
}
