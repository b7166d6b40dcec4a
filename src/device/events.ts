// What a device and a driver tell their subscribers. Facts about one connection are a device's; what belongs to no
// device (listening, a path taken away) is its driver's. Faults and refusals are events, never an Observable's error.
import type { FaultCode, MemoryRegion, WarningCode } from '../control/events.js'
import type { FeatureName, ProtocolFeatureName } from '../control/feature-names.js'
import type { VhostError } from '../errors.js'

export type { FaultCode, MemoryRegion, WarningCode }

/** The process at the other end of a socket, as the kernel knows it. Of a listener: whoever called listen(). */
export interface PeerCredentials {
  /** Process. */
  pid: number
  /** User. */
  uid: number
  /** Group. */
  gid: number
}

/** The state of one ring, as a snapshot tells it. */
export interface RingInfo {
  /** Its index: even to guest, odd from guest. */
  ring: number
  /** Packets can move. */
  running: boolean
  /** Entries; 0 before the front end said how many. */
  size: number
  /** SET_VRING_ENABLE, or all without it. */
  enabled: boolean
  /** Why it was latched; '' = it was not. */
  fault: string
}

/**
 * Events of a {@link VhostDevice}. Every subscriber gets one `snapshot` first. `ready` and `stopped` are
 * librte_vhost's `new_device` and `destroy_device`; they repeat, for instance when the guest reboots.
 */
export type DeviceEvent =
  | {
      type: 'snapshot'
      ready: boolean
      features: FeatureName[]
      protocolFeatures: ProtocolFeatureName[]
      rings: RingInfo[]
    }
  /** A front end is there, and nothing of it was read yet. librte_vhost's new_connection. */
  | { type: 'connected'; peer: PeerCredentials | undefined }
  /** What the guest, and its front end, use of what was offered. */
  | { type: 'negotiated'; features: FeatureName[]; protocolFeatures: ProtocolFeatureName[] }
  /** The guest uses other features than before: another driver after a reboot, or a migration that begins or ends. */
  | { type: 'features'; features: FeatureName[]; added: FeatureName[]; removed: FeatureName[] }
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
  /** It works, and could be slow or fragile: once a connection for each code. */
  | { type: 'warning'; code: WarningCode; message: string; fix: string }
  | { type: 'refused'; request: string; reason: string }
  /** The last event: why the connection ended. */
  | { type: 'closed'; reason: string }

/** Events of a {@link VhostDriver} that belong to no device. */
export type DriverEvent =
  | { type: 'listening'; path: string }
  /** `role: 'client'`: attempts to connect begin. */
  | { type: 'connecting'; path: string }
  /**
   * There is no connection: the next attempt is made in `delay` ms. `reason` is the errno's name (`ENOENT`: the front end
   * was not started yet), or `lost` after a connection. `attempt` counts failures in a row.
   */
  | { type: 'retrying'; path: string; attempt: number; delay: number; reason: string }
  /** A connection was closed at once: `maxDevices` are there already, or its process is not among `peers`. */
  | { type: 'refused'; path: string; reason: 'busy' | 'peer'; peer?: PeerCredentials }
  /**
   * accept() failed for want of fds or memory, with the errno's name as its `reason`; it is tried again. Or `fd_exhausted`:
   * a device was closed because this process had no room for the fds that its front end sent.
   */
  | { type: 'resource-pressure'; path: string; reason: string }
  | { type: 'closed'; path: string }
