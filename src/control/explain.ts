// Explains, in words and as data, why a device or a ring does not run. It reports the conditions of reconcile.ts that are
// not met. All functions depend only on the session's state.
import { driverIsOk, isEnabled } from './draft.js'
import { hasProtocol } from './features.js'
import type { RingState, State } from './types.js'

/**
 * The missing settings, in the order in which front ends usually send them. `fault`: the ring was stopped because of a
 * fault, and must be set up again.
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

/** The state of one ring, and the settings that it waits for. */
export interface RingExplanation {
  /** The index of the ring: even = to guest, odd = from guest. */
  ring: number
  /** True if the ring runs and packets can move. */
  running: boolean
  /** The settings that the front end has not sent yet, in the usual order. */
  missing: Missing[]
  /** The reason if `missing` has `fault`; otherwise ''. */
  fault: string
  /** `ring 1: no kick fd; not enabled`. */
  text: string
}

/** The state of a device, as `device.explain()` returns it. */
export interface Explanation {
  /** True if the rings run that a device of this kind needs. */
  ready: boolean
  /** The settings that the device as a whole waits for. */
  missing: Missing[]
  /** One entry for each ring. */
  rings: RingExplanation[]
  /** The whole explanation, one line per entry. */
  text: string
}

const words: Record<Missing, string> = {
  features: 'no features were accepted (SET_FEATURES)',
  memory: 'no memory was shared (SET_MEM_TABLE)',
  'driver-ok': 'the driver is not ready (no SET_STATUS with DRIVER_OK)',
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
