// Requests about the device as a whole: features, owner, status. Each has a `begin` that checks, without
// changing anything, and names what must be asked of native code, and a `finish` that changes the state once all of
// that has succeeded. (vhost-user "Front-end message types"; virtio 1.2, 2.1 for the status.)
import { decodeU64, encodeU64 } from './codec.js'
import { MEMORY_DEADLINE_MS, STATUS_FEATURES_OK } from './draft.js'
import { hasVirtio, virtioMask } from './features.js'
import { gate } from './gate.js'
import type { Handler } from './handler.js'
import { kinds } from './kinds/index.js'
import { type Ask, newRing, type State } from './types.js'

/** Also QEMU's barrier: sent at any time, so it changes nothing. */
export const getFeatures: Handler = { finish: ({ state }) => encodeU64(state.offered.features) }

const LOG_ALL = virtioMask('LOG_ALL')

export const setFeatures: Handler = {
  begin(state, { payload }) {
    const features = decodeU64(payload)
    if (features & ~state.offered.features) return 'feature_invalid'
    const changed = features ^ state.features
    // The header's length and the ring's layout hang on them; only a migration changes one while rings run.
    if (changed & ~LOG_ALL && state.rings.some(ring => ring.running)) return 'feature_running'
    return changed & LOG_ALL ? [{ kind: 'log-buffers', on: (features & LOG_ALL) !== 0n }] : []
  },
  finish(draft, { payload }) {
    const { state } = draft
    const features = decodeU64(payload)
    if (!state.negotiated)
      draft.tell({ type: 'negotiated', features, protocolFeatures: state.protocolFeatures })
    else if (features !== state.features) draft.tell({ type: 'features', features, before: state.features })
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

export const getQueueNum: Handler = {
  finish: ({ state }) => encodeU64(BigInt(kinds[state.kind].queueNum(state))),
}

/** A front end may leave this request out (virtio-user after a reconnect) or repeat it. */
export const setOwner: Handler = {}

/** Deprecated. Front ends disagree on its meaning; disabling the rings is the harmless reading. */
export const resetOwner: Handler = {
  finish(draft) {
    for (const i of draft.state.rings.keys()) draft.ring(i).enabled = false
    draft.state.leaving = true
  },
}

export const getStatus: Handler = {
  begin: gate('STATUS', () => []),
  finish: ({ state }) => encodeU64(BigInt(state.status)),
}

export const setStatus: Handler = {
  begin: gate('STATUS', (_, payload) => (decodeU64(payload) > 0xffn ? 'msg_value' : [])),
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

/** As after connecting, but for the protocol's own state: connection, protocol features, memory. */
export const resetDevice: Handler = {
  begin: gate('RESET_DEVICE', state => [
    ...state.rings.flatMap((ring, i): Ask[] => [
      ...(ring.running ? [{ kind: 'stop-ring', ring: i, reason: 'reset' } as const] : []),
      ...(ring.kick === 'fd' ? [{ kind: 'ring-fd', ring: i, which: 0, fd: 0 } as const] : []),
      ...(ring.call === 'fd' ? [{ kind: 'ring-fd', ring: i, which: 1, fd: 0 } as const] : []),
    ]),
    ...(hasVirtio(state.features, 'LOG_ALL') ? [{ kind: 'log-buffers', on: false } as const] : []),
  ]),
  finish({ state }) {
    state.rings = state.rings.map(() => ({ ...newRing(), enabled: false }))
    Object.assign(state, { features: 0n, negotiated: false, status: 0, leaving: true })
  },
}
