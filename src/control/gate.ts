// Refuses a request that belongs to a protocol feature if that feature was not negotiated.
import { hasProtocol, type ProtocolFeature } from './features.js'
import type { Handler } from './handler.js'
import type { Refusal } from './refusals.js'
import type { Ask, State } from './types.js'

export const gate =
  (
    feature: ProtocolFeature,
    then: (state: State, payload: Uint8Array) => Ask[] | Refusal,
  ): Handler['begin'] =>
  (state, { payload }) =>
    hasProtocol(state.protocolFeatures, feature) ? then(state, payload) : 'feature_gate'
