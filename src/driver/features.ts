// The features that a driver offers to its front ends, by name: librte_vhost's rte_vhost_driver_set_features and its siblings.
// Only features that are implemented can be offered. A change applies from the next connection on.

import type { FeatureName } from '../control/feature-names.js'
import {
  bitOf,
  featureNames,
  type ProtocolFeatureName,
  protocolFeatureNames,
} from '../control/feature-names.js'
import { protocolMask, virtioMask } from '../control/features.js'
import type { SessionOptions } from '../control/initial-state.js'
import { net } from '../control/kinds/net.js'
import { VhostError } from '../errors.js'

/** 128 as in librte_vhost: bits 0 to 7 of SET_VRING_KICK name the ring. */
export const MAX_QUEUE_PAIRS = 128

export interface FeatureOptions {
  features?: readonly FeatureName[]
  protocolFeatures?: readonly ProtocolFeatureName[]
  queuePairs?: number
}

type Kind = 'virtio' | 'protocol'
const implemented: Record<Kind, bigint> = { virtio: net.features, protocol: net.protocolFeatures }
/** No feature of the guest: it lets the two ends negotiate protocol features. */
const ALWAYS = virtioMask('PROTOCOL_FEATURES')
/** Not offered with one queue pair, since there is no number of pairs to negotiate. */
const PROTOCOL_MQ = protocolMask('MQ')

export class DriverFeatures {
  readonly #queuePairs: number
  readonly #masks: Record<Kind, bigint> = { ...implemented }
  readonly #isOpen: () => boolean

  constructor(
    { features, protocolFeatures, queuePairs = MAX_QUEUE_PAIRS }: FeatureOptions,
    isOpen: () => boolean,
  ) {
    if (!(Number.isInteger(queuePairs) && queuePairs >= 1 && queuePairs <= MAX_QUEUE_PAIRS))
      throw new RangeError(`queuePairs must be 1 to ${MAX_QUEUE_PAIRS}`)
    this.#queuePairs = queuePairs
    this.#isOpen = isOpen
    if (queuePairs === 1) {
      this.#masks.virtio &= ~virtioMask('MQ')
      this.#masks.protocol &= ~PROTOCOL_MQ
    }
    if (features) this.set('virtio', features)
    if (protocolFeatures) this.set('protocol', protocolFeatures)
  }

  enable(kind: Kind, names: readonly string[]): void {
    this.#change(kind, this.#masks[kind] | maskOf(kind, names))
  }

  disable(kind: Kind, names: readonly string[]): void {
    this.#change(kind, this.#masks[kind] & ~maskOf(kind, names, 'known'))
  }

  set(kind: Kind, names: readonly string[]): void {
    this.#change(kind, maskOf(kind, names) | (kind === 'virtio' ? ALWAYS : 0n))
  }

  get features(): FeatureName[] {
    return featureNames(this.#masks.virtio)
  }

  get protocolFeatures(): ProtocolFeatureName[] {
    return protocolFeatureNames(this.#masks.protocol)
  }

  /** The offer, as a session takes it. */
  get offer(): SessionOptions {
    const { virtio, protocol } = this.#masks
    // Without this feature a front end can't ask for the number of pairs, so it has one pair.
    const queuePairs = protocol & PROTOCOL_MQ ? this.#queuePairs : 1
    return { features: virtio, protocolFeatures: protocol, queuePairs }
  }

  #change(kind: Kind, mask: bigint): void {
    if (this.#isOpen())
      throw new VhostError(
        'ERR_VHOST_INVALID_ARGUMENT',
        'the driver is in use: its features were already offered to front ends',
        {
          fix: 'set features before the first subscription, or after the last has ended',
        },
      )
    this.#masks[kind] = mask
  }
}

function maskOf(
  kind: Kind,
  names: readonly string[],
  allowed: 'implemented' | 'known' = 'implemented',
): bigint {
  return names.reduce((mask, name) => {
    const bit = bitOf(name)
    if (bit?.kind !== kind)
      throw new VhostError('ERR_VHOST_INVALID_ARGUMENT', `${name} is not the name of a ${kind} feature`, {
        fix: `use the names that the specification has, for instance ${kind === 'virtio' ? 'VIRTIO_NET_F_MRG_RXBUF' : 'VHOST_USER_PROTOCOL_F_MQ'}`,
      })
    if (allowed === 'implemented' && !(bit.mask & implemented[kind]))
      throw new VhostError('ERR_VHOST_INVALID_ARGUMENT', `${name} is not implemented`, {
        fix: 'offer what getFeatures() and getProtocolFeatures() of a new driver list',
      })
    return mask | bit.mask
  }, 0n)
}
