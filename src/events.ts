// What a device and a driver tell their subscribers. Facts about one connection are a device's; what belongs to no
// device (listening, a path taken away) is its driver's. Faults and refusals are events, never an Observable's error.
import type { FaultCode, MemoryRegion } from './control/events.js'
import type { VhostError } from './errors.js'

export type { FaultCode, MemoryRegion }

/** The state of one ring, as a snapshot tells it. */
export interface RingInfo {
  ring: number
  running: boolean
  size: number
  enabled: boolean
  /** Why it was latched; '' = it was not. */
  fault: string
}

/**
 * Events of a {@link VhostDevice}. Every subscriber gets one `snapshot` first. `ready` and `stopped` are
 * librte_vhost's `new_device` and `destroy_device`; they repeat, for instance when the guest reboots.
 */
export type DeviceEvent =
  | { type: 'snapshot'; ready: boolean; features: string[]; protocolFeatures: string[]; rings: RingInfo[] }
  | { type: 'negotiated'; features: string[]; protocolFeatures: string[] }
  | { type: 'memory'; regions: MemoryRegion[] }
  | { type: 'ring-started'; ring: number }
  | { type: 'ring-stopped'; ring: number; reason: string }
  | { type: 'ready' }
  | { type: 'stopped' }
  | { type: 'status'; value: number }
  /**
   * A live migration: from `active: true` on, each page of the guest's memory that is written here is marked in the
   * front end's log, until `active: false` (it was called off, or the guest has stopped here to go on elsewhere).
   */
  | { type: 'migration'; active: boolean }
  /** The front end's MTU: longer frames for this guest are dropped as `mtu`, but for those to be segmented. */
  | { type: 'mtu'; mtu: number }
  /** The guest is here now and can't announce it: the network should learn where this address is. */
  | { type: 'rarp'; mac: string }
  /** The front end has written into the configuration space that the driver was given. */
  | { type: 'config'; offset: number; bytes: Uint8Array }
  /** All leases of a queue are held and nothing was released for a while; `holders` says by whom. */
  | { type: 'stalled'; ring: number; packets: number; holders: Readonly<Record<string, number>> }
  | { type: 'fault'; error: VhostError; ring?: number }
  | { type: 'refused'; request: string; reason: string }
  /** The last event: why the connection ended. */
  | { type: 'closed'; reason: string }

/** Events of a {@link VhostDriver} that belong to no device. */
export type DriverEvent =
  | { type: 'listening'; path: string }
  /** A connection was closed at once: as many as `maxDevices` are there already. */
  | { type: 'refused'; path: string; reason: 'busy' }
  /** accept() failed for want of fds or memory; it is tried again. */
  | { type: 'resource-pressure'; path: string; reason: string }
  | { type: 'closed'; path: string }
