// What a session tells and knows, as subscribers see it: names in place of bits, an error in place of its parts. Pure;
// between control/ and device-session.ts.
import type { SessionEvent } from './control/events.js'
import { namesIn, protocolBits, virtioBits } from './control/features.js'
import type { State } from './control/types.js'
import { VhostError } from './errors.js'
import type { DeviceEvent, RingInfo } from './events.js'

export const featureNames = (mask: bigint): string[] => namesIn(mask, virtioBits)
export const protocolFeatureNames = (mask: bigint): string[] => namesIn(mask, protocolBits)

/** `where`: the driver's path and the device's id. */
export function publicEvent(event: SessionEvent, where: { path: string; device: number }): DeviceEvent {
  if (event.type === 'negotiated')
    return {
      type: 'negotiated',
      features: featureNames(event.features),
      protocolFeatures: protocolFeatureNames(event.protocolFeatures),
    }
  if (event.type !== 'fault') return event
  const { code, message, ring, request, fix, reason } = event
  const error = new VhostError(code, `${message} (${reason})`, { ...where, ring, request, fix, reason })
  return { type: 'fault', error, ring }
}

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

/** Events that a front end may cause as often as it likes: so many a second are told, the rest is not. */
export class RateLimit {
  readonly #aSecond: number
  #until = 0
  #left = 0

  constructor(aSecond: number) {
    this.#aSecond = aSecond
  }

  get allows(): boolean {
    const now = performance.now()
    if (now >= this.#until) {
      this.#until = now + 1000
      this.#left = this.#aSecond
    }
    return this.#left-- > 0
  }
}
