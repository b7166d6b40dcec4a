// Compares the rings that should run with the rings that run. This happens after every message and fault, so that
// handlers do not depend on the order of requests.
import { type Draft, driverIsOk, isEnabled, isSetUp } from './draft.js'
import { hasVirtio } from './features.js'
import { kinds } from './kinds/index.js'
import { ringFault } from './ring-layout.js'
import type { Ask, RingState, State } from './types.js'

function stopReason(state: State, ring: RingState): string {
  if (ring.latched) return ring.latched
  if (!driverIsOk(state)) return 'status'
  if (!isEnabled(state, ring)) return 'disabled'
  return 'memory'
}

/** Returns the next ask that brings the rings closer to the wanted state; undefined if they are in that state. */
export function nextRingAsk(draft: Draft): Ask | undefined {
  const { state } = draft
  for (let i = 0; i < state.rings.length; i++) {
    const ring = state.rings[i]
    const wanted = isSetUp(state, ring) && state.regions.length > 0 && !ring.latched
    if (ring.running && !wanted) return { kind: 'stop-ring', ring: i, reason: stopReason(state, ring) }
    if (!ring.running && wanted && ring.addresses) {
      const eventIndex = hasVirtio(state.features, 'EVENT_IDX')
      const fault = ringFault(state.regions, ring.addresses, ring.size, eventIndex)
      if (fault) {
        draft.latch(i, fault)
        continue
      }
      const { descriptors, used, available, log, flags } = ring.addresses
      return {
        kind: 'start-ring',
        ring: i,
        size: ring.size,
        base: ring.base,
        flags,
        addresses: [descriptors, used, available, log],
        features: state.features,
      }
    }
  }
  return undefined
}

/** Reports `ready` once no ask is left and the kind of device says that the program can use it. */
export function reportReady(draft: Draft): void {
  const { state } = draft
  if (state.leaving) draft.stopped()
  if (!state.ready && kinds[state.kind].isReady(state)) {
    state.ready = true
    state.expected = 0n
    draft.tell({ type: 'ready' })
  }
  draft.migration()
  // The driver has set DRIVER_OK, or a ring is set up, but no memory is shared to read the rings from.
  const driverReady = state.status !== 0 && driverIsOk(state)
  if (state.regions.length === 0 && (driverReady || state.rings.some(ring => isSetUp(state, ring))))
    draft.notShared()
}
