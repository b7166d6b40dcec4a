// The events that a session reports about its device. src/device turns them into the public DeviceEvent.
import type { Refusal } from './refusals.js'

/** A region of a guest's memory, as the front end shared it. */
export interface MemoryRegion {
  /** Guest-physical address. */
  guest: bigint
  /** In bytes. */
  size: bigint
  /** Address in the front end's address space, which ring addresses refer to. */
  user: bigint
  /** Offset of the first byte in the file. */
  offset: bigint
}

export type FaultCode =
  | 'ERR_VHOST_RING'
  | 'ERR_VHOST_MEMORY_NOT_SHARED'
  | 'ERR_VHOST_MEMORY_REVOKED'
  | 'ERR_VHOST_PROTOCOL'
  | 'ERR_VHOST_FEATURES_LOST'

/** Nothing has failed, but the device may be slow or unreliable. */
export type WarningCode = 'WARN_VHOST_MEMORY_ON_DISK'

export type SessionEvent =
  /** The connection's first SET_FEATURES was accepted. */
  | { type: 'negotiated'; features: bigint; protocolFeatures: bigint }
  /** A later SET_FEATURES with a different mask was accepted. */
  | { type: 'features'; features: bigint; before: bigint }
  | { type: 'memory'; regions: MemoryRegion[] }
  | { type: 'ring-started'; ring: number }
  /** `reason`: base, disabled, reset, status, address, memory, closed, or the reason of a fault. */
  | { type: 'ring-stopped'; ring: number; reason: string }
  /** The rings that the kind of device needs run (librte_vhost's new_device). */
  | { type: 'ready' }
  /** The device is not ready any more (librte_vhost's destroy_device); `ready` may follow. */
  | { type: 'stopped' }
  | { type: 'status'; value: number }
  /** The front end has begun or ended the logging of our writes. */
  | { type: 'migration'; active: boolean }
  | { type: 'mtu'; mtu: number }
  | { type: 'rarp'; mac: string }
  /** The front end has written to the configuration space. */
  | { type: 'config'; offset: number; bytes: Uint8Array }
  | {
      type: 'fault'
      code: FaultCode
      reason: string
      ring?: number
      request?: string
      /** More about the reason. */
      detail?: string
      message: string
      fix?: string
    }
  | { type: 'warning'; code: WarningCode; message: string; fix: string }
  /** A request was refused; the connection stays, unless a close follows. */
  | { type: 'refused'; request: string; reason: Refusal }
