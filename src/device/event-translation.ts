// Translates the events of a session (control/events.ts) into the public DeviceEvent: feature masks become names, and faults
// become errors with the path and the id of their device.
import type { SessionEvent } from '../control/events.js'
import { featureNames, protocolFeatureNames } from '../control/feature-names.js'
import type { State } from '../control/types.js'
import { VhostError } from '../errors.js'
import type { DeviceEvent, RingInfo } from './events.js'

/** The event that each subscriber of a device gets first. */
export function snapshotOf({ ready, features, protocolFeatures, rings }: State): DeviceEvent {
  return {
    type: 'snapshot',
    ready,
    features: featureNames(features),
    protocolFeatures: protocolFeatureNames(protocolFeatures),
    rings: rings.map((ring, i): RingInfo => {
      return {
        ring: i,
        running: ring.running,
        size: ring.size,
        enabled: ring.enabled === true,
        fault: ring.latched,
      }
    }),
  }
}

export function deviceEvent(event: SessionEvent, of: { path: string; id: number }): DeviceEvent {
  if (event.type === 'negotiated')
    return {
      type: 'negotiated',
      features: featureNames(event.features),
      protocolFeatures: protocolFeatureNames(event.protocolFeatures),
    }
  if (event.type === 'features')
    return {
      type: 'features',
      features: featureNames(event.features),
      added: featureNames(event.features & ~event.before),
      removed: featureNames(event.before & ~event.features),
    }
  if (event.type !== 'fault') return event
  const { code, message, ring, request, fix, reason, detail } = event
  const { path, id: device } = of
  const error = new VhostError(code, `${message} (${reason})`, {
    path,
    device,
    ring,
    request,
    fix,
    reason,
    detail,
  })
  return { type: 'fault', error, ring }
}
