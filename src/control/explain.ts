// Explains, in words and as data, why a device or a ring does not run: which of the conditions in reconcile.ts are not
// met. Pure functions of the session's state.
import { driverIsOk, isEnabled } from './draft.js'
import { hasProtocol } from './features.js'
import type { RingState, State } from './types.js'

/**
 * What is missing, in the order in which front ends usually give it. `fault`: the ring was stopped because of a fault and
 * must be set up again.
 */
export type Missing =
  | 'features'
  | 'memory'
  | 'driver-ok'
  | 'size'
  | 'addresses'
  | 'kick'
  | 'enabled'
  | 'fault'

/** What one ring waits for. */
export interface RingExplanation {
  /** Its index: even to guest, odd from guest. */
  ring: number
  /** Packets can move. */
  running: boolean
  /** What the front end has not said yet, in the order in which it usually comes. */
  missing: Missing[]
  /** The reason of `fault`; '' without one. */
  fault: string
  /** `ring 1: no kick fd; not enabled`. */
  text: string
}

/** What a device waits for, as `device.explain()` tells it. */
export interface Explanation {
  /** The rings that a device of this kind needs run. */
  ready: boolean
  /** What the device as a whole waits for. */
  missing: Missing[]
  /** One of each ring, even ones to guest. */
  rings: RingExplanation[]
  /** All of it, a line each. */
  text: string
}

const words: Record<Missing, string> = {
  features: 'no features were accepted (SET_FEATURES)',
  memory: 'no memory was shared (SET_MEM_TABLE)',
  'driver-ok': 'the driver has not said that it is ready (SET_STATUS with DRIVER_OK)',
  size: 'no size',
  addresses: 'no addresses',
  kick: 'no kick fd',
  enabled: 'not enabled',
  fault: 'stopped for a fault',
}

function missingOfDevice(state: State): Missing[] {
  const missing: Missing[] = []
  if (!state.negotiated) missing.push('features')
  if (state.regions.length === 0 || state.revoked) missing.push('memory')
  if (!driverIsOk(state)) missing.push('driver-ok')
  return missing
}

function missingOfRing(state: State, ring: RingState): Missing[] {
  const missing: Missing[] = []
  if (ring.size === 0) missing.push('size')
  if (ring.addresses === null) missing.push('addresses')
  if (ring.kick === 'unset') missing.push('kick')
  if (!isEnabled(state, ring)) missing.push('enabled')
  if (ring.latched) missing.push('fault')
  return missing
}

export function explain(state: State): Explanation {
  const missing = missingOfDevice(state)
  const rings = state.rings.map((ring, index): RingExplanation => {
    const its = missingOfRing(state, ring)
    const said = its.map(what => (what === 'fault' ? `${words.fault} (${ring.latched})` : words[what]))
    const waits = missing.length > 0 ? 'set up; waits for the device' : 'stopped'
    return {
      ring: index,
      running: ring.running,
      missing: its,
      fault: ring.latched,
      text: `ring ${index}: ${ring.running ? 'runs' : said.join('; ') || waits}`,
    }
  })
  const device = missing.map(what => words[what])
  const lines = [
    `device: ${state.closed ? 'gone' : state.ready ? 'ready' : device.join('; ') || 'waits for its first two rings'}`,
    ...rings.map(({ text }) => text),
  ]
  if (!hasProtocol(state.protocolFeatures, 'REPLY_ACK') && state.negotiated)
    lines.push(
      'note: without REPLY_ACK the front end is not told what was refused; the connection is closed instead',
    )
  return { ready: state.ready, missing, rings, text: lines.join('\n') }
}
