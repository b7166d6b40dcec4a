// The events of a device and of a driver. A device has those of one connection; a driver has those that belong to no
// connection, for instance that it listens. Faults and refusals are events, never an Observable's error.
import type { FaultCode, MemoryRegion, WarningCode } from '../control/events.js'
import type { FeatureName, ProtocolFeatureName } from '../control/feature-names.js'
import type { VhostError } from '../errors.js'

export type { FaultCode, MemoryRegion, WarningCode }

/**
 * The process at the other end of a socket, as the kernel knows it. For a listening socket: the process that called
 * listen().
 */
export interface PeerCredentials {
  /** Process. */
  pid: number
  /** User. */
  uid: number
  /** Group. */
  gid: number
}

/** The state of one ring in a snapshot. */
export interface RingInfo {
  /** Its index: even rings lead to the guest, odd ones from it. */
  ring: number
  /** Packets can move. */
  running: boolean
  /** Entries; 0 until the front end has set the size. */
  size: number
  /** Whether SET_VRING_ENABLE has enabled it; if that was not negotiated, every ring is enabled. */
  enabled: boolean
  /** Why it was latched; '' if it was not. */
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
  /** A front end has connected, and none of its messages was read yet. librte_vhost's new_connection. */
  | { type: 'connected'; peer: PeerCredentials | undefined }
  /** The features that the guest and its front end use, out of those that were offered. */
  | { type: 'negotiated'; features: FeatureName[]; protocolFeatures: ProtocolFeatureName[] }
  /** The guest's features have changed: it rebooted into another driver, or a migration begins or ends. */
  | { type: 'features'; features: FeatureName[]; added: FeatureName[]; removed: FeatureName[] }
  | { type: 'memory'; regions: MemoryRegion[] }
  | { type: 'ring-started'; ring: number }
  | { type: 'ring-stopped'; ring: number; reason: string }
  | { type: 'ready' }
  | { type: 'stopped' }
  | { type: 'status'; value: number }
  /**
   * A live migration. From `active: true` on, each page of guest memory that this side writes is marked in the front
   * end's log, until `active: false`: the migration was cancelled, or the guest has stopped here and runs on elsewhere.
   */
  | { type: 'migration'; active: boolean }
  /**
   * The front end's MTU. Longer frames for this guest are dropped as `mtu`, except for frames that are to be segmented.
   */
  | { type: 'mtu'; mtu: number }
  /**
   * The guest has moved here and can't announce it itself: send a RARP for this address. The operator `route` does so.
   */
  | { type: 'rarp'; mac: string }
  /** The front end has written to the configuration space that the driver was given. */
  | { type: 'config'; offset: number; bytes: Uint8Array }
  /**
   * All leases of a queue are held, and none was released for a while. `holders` counts them by the name of the holder.
   */
  | { type: 'stalled'; ring: number; packets: number; holders: Readonly<Record<string, number>> }
  | { type: 'fault'; error: VhostError; ring?: number }
  /** The connection works, but may be slow or fragile. Each code comes once per connection. */
  | { type: 'warning'; code: WarningCode; message: string; fix: string }
  | { type: 'refused'; request: string; reason: string }
  /** The last event: why the connection ended. */
  | { type: 'closed'; reason: string }

/** Events of a {@link VhostDriver} that belong to no device. */
export type DriverEvent =
  | { type: 'listening'; path: string }
  /** With `role: 'client'`: attempts to connect begin. */
  | { type: 'connecting'; path: string }
  /**
   * There is no connection, and the next attempt is in `delay` ms. `reason` is the errno's name (`ENOENT`: the front end
   * was not started yet), or `lost` after a connection. `attempt` counts failures in a row.
   */
  | { type: 'retrying'; path: string; attempt: number; delay: number; reason: string }
  /**
   * A connection was closed at once: `busy`, there are `maxDevices` already; or `peer`, its process is not among
   * `peers`.
   */
  | { type: 'refused'; path: string; reason: 'busy' | 'peer'; peer?: PeerCredentials }
  /**
   * accept() failed for lack of fds or memory and will be tried again; `reason` is the errno's name. Or, with the reason
   * `fd_exhausted`: a device was closed because this process could not receive the fds that its front end sent.
   */
  | { type: 'resource-pressure'; path: string; reason: string }
  | { type: 'closed'; path: string }
