// The state of a session when its connection begins.
import { kinds } from './kinds/index.js'
import { type KindName, newRing, type State } from './types.js'

export interface SessionOptions {
  /** Default `net`. */
  kind?: KindName
  features?: bigint
  protocolFeatures?: bigint
  queuePairs?: number
  expected?: bigint
  /** The largest MTU that a front end may set. Default 65,535. */
  maxMtu?: number
  /** The configuration space, which GET_CONFIG reads. With it, CONFIG and BACKEND_REQ are offered. */
  config?: Uint8Array
}

export function initialState(options: SessionOptions = {}): State {
  const { kind = 'net', queuePairs = 1 } = options
  const offered = kinds[kind]
  const { config = null, maxMtu = 65535 } = options
  return {
    kind,
    offered: {
      features: options.features ?? offered.features,
      protocolFeatures:
        (options.protocolFeatures ?? offered.protocolFeatures) |
        (config ? offered.configProtocolFeatures : 0n),
      queuePairs,
      maxMtu,
    },
    features: 0n,
    negotiated: false,
    protocolFeatures: 0n,
    status: 0,
    regions: [],
    revoked: false,
    rings: Array.from({ length: offered.firstRings }, newRing),
    expected: options.expected ?? 0n,
    log: 0n,
    migrating: false,
    mtu: 0,
    config,
    ready: false,
    leaving: false,
    notSharedTold: false,
    onDiskTold: false,
    pending: null,
    backlog: [],
    closed: false,
  }
}
