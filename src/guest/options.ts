// The options of a GuestPort, their defaults, and the feature bits that follow from them (virtio 1.2 §5.1.3, §6).
import { F_PROTOCOL_FEATURES } from './wire.js'

/** How frames are split into descriptors; see the option `layout`. */
export type GuestLayout = 'single' | 'split' | 'indirect'

/** Options of a `GuestPort`. All have defaults. */
export interface GuestOptions {
  /**
   * Which side listens. `client` (default): this side connects to a back end that listens. `server`: this side listens,
   * and `connect()` waits for a back end.
   */
  role?: 'client' | 'server'
  /** Number of queue pairs, 1 to 128. All are used; see `pair()`. Default 1. */
  pairs?: number
  /** Size of all rings, a power of two. Default 256. */
  queueSize?: number
  /**
   * How frames are split into descriptors. `single` (default): header and data in one. `split`: one for the header, then
   * a chain for the data. `indirect`: the same in an indirect table.
   */
  layout?: GuestLayout
  /** Data descriptors of a frame in the layouts 'split' and 'indirect', 1 to 16. Default 2. */
  segments?: number
  /** Ask for mergeable receive buffers: a frame may use several. Default true. */
  mergeable?: boolean
  /** Ask for indirect descriptors. Default true. */
  indirect?: boolean
  /** Ask for the event index. Default true. */
  eventIndex?: boolean
  /**
   * Ask for VERSION_1. Without it the device is a legacy one, and its header has 10 bytes unless `mergeable` is on.
   * Default true.
   */
  modern?: boolean
  /** More feature bits to ask for, for instance checksum and segmentation offloads. Default none. */
  features?: bigint
  /** Bytes of one receive buffer, including its header. Default 2048. */
  receiveBuffer?: number
  /** Longest frame that can be sent. Default 2048. */
  transmitBuffer?: number
  /** Post receive buffers at the start, and again when they were read; see `postReceive()`. Default true. */
  autoPost?: boolean
  /**
   * Number of regions in which the guest's memory is shared, 1 to 8, or to 509 with `slots`. A buffer may lie in two.
   * Default 1.
   */
  regions?: number
  /** Share the regions one by one (ADD_MEM_REG) instead of as one table. Default false. */
  slots?: boolean
  /** The port's Ethernet address. Default 02:00:00:00:00:01. */
  mac?: string
  /** Milliseconds to wait for each reply of the back end. Default 10000. */
  timeout?: number
}

export type ResolvedOptions = Required<GuestOptions>

export const LAYOUTS: readonly GuestLayout[] = ['single', 'split', 'indirect']

export const FEATURE = {
  MRG_RXBUF: 1n << 15n,
  ANY_LAYOUT: 1n << 27n,
  INDIRECT_DESC: 1n << 28n,
  EVENT_IDX: 1n << 29n,
  VERSION_1: 1n << 32n,
  MQ: 1n << 22n,
} as const

/** The largest number of regions in one SET_MEM_TABLE, and with slots. */
const MAX_TABLE = 8
const MAX_SLOTS = 509

export function resolveOptions(options: GuestOptions): ResolvedOptions {
  const resolved: ResolvedOptions = {
    role: 'client',
    pairs: 1,
    queueSize: 256,
    layout: 'single',
    segments: 2,
    mergeable: true,
    indirect: true,
    eventIndex: true,
    modern: true,
    features: 0n,
    receiveBuffer: 2048,
    transmitBuffer: 2048,
    autoPost: true,
    regions: 1,
    slots: false,
    mac: '02:00:00:00:00:01',
    timeout: 10_000,
    ...options,
  }
  if (!LAYOUTS.includes(resolved.layout))
    throw new TypeError(`layout must be one of ${LAYOUTS}, not ${resolved.layout}`)
  if (resolved.layout === 'indirect' && !resolved.indirect)
    throw new TypeError(`layout 'indirect' needs the option 'indirect'`)
  const most = resolved.slots ? MAX_SLOTS : MAX_TABLE
  if (!Number.isInteger(resolved.regions) || resolved.regions < 1 || resolved.regions > most)
    throw new RangeError(`regions must be 1 to ${most}`)
  if (!Number.isInteger(resolved.pairs) || resolved.pairs < 1 || resolved.pairs > 128)
    throw new RangeError('pairs must be 1 to 128')
  // The regions are cut without regard to the rings of later pairs, and a ring must lie in one region.
  if (resolved.pairs > 1 && resolved.regions > 1) throw new RangeError('several regions need pairs: 1')
  return resolved
}

/** Returns the features to ask a back end for. */
export function wantedFeatures(options: ResolvedOptions): bigint {
  const when = (on: boolean, bit: bigint) => (on ? bit : 0n)
  return (
    options.features |
    F_PROTOCOL_FEATURES |
    when(options.mergeable, FEATURE.MRG_RXBUF) |
    when(options.indirect, FEATURE.INDIRECT_DESC) |
    when(options.eventIndex, FEATURE.EVENT_IDX) |
    when(options.pairs > 1, FEATURE.MQ) |
    // A legacy driver may put header and data in one descriptor only with ANY_LAYOUT; VERSION_1 implies it.
    when(options.modern, FEATURE.VERSION_1) |
    when(!options.modern, FEATURE.ANY_LAYOUT)
  )
}

/** Returns the six bytes of an address that is written as `02:00:00:00:00:01`. */
export function macBytes(text: string): Uint8Array {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)) throw new TypeError(`not an Ethernet address: ${text}`)
  return Uint8Array.from(text.split(':'), part => Number.parseInt(part, 16))
}
