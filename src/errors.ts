// VhostError and the closed list of its codes. Every error that leaves the library is one of these, or a TypeError /
// RangeError for a plainly wrong argument. The list with causes and fixes is docs/errors.md.

export type VhostErrorCode =
  | 'ERR_VHOST_ADDON_MISSING'
  | 'ERR_VHOST_PATH_INVALID'
  | 'ERR_VHOST_PATH_IN_USE'
  | 'ERR_VHOST_PATH_NOT_SOCKET'
  | 'ERR_VHOST_LISTEN_FAILED'
  | 'ERR_VHOST_CONNECT_FAILED'
  | 'ERR_VHOST_DEVICE_GONE'
  | 'ERR_VHOST_QUEUE_IN_USE'
  | 'ERR_VHOST_QUEUE_INVALID'
  | 'ERR_VHOST_LEASE_ENDED'
  | 'ERR_VHOST_LEASE_RELEASED'
  | 'ERR_VHOST_NOT_WRITABLE'
  | 'ERR_VHOST_OVERFLOW'
  | 'ERR_VHOST_POOL_EXHAUSTED'
  | 'ERR_VHOST_MEMORY_NOT_SHARED'
  | 'ERR_VHOST_MEMORY_REVOKED'
  | 'ERR_VHOST_RING'
  | 'ERR_VHOST_PROTOCOL'
  | 'ERR_VHOST_FEATURES_LOST'
  | 'ERR_VHOST_CAPTURE_FAILED'
  | 'ERR_VHOST_CAPTURE_INVALID'
  | 'ERR_VHOST_INVALID_ARGUMENT'

/** Where an error happened and what to do about it; every member is optional. */
export interface VhostErrorDetail {
  /** The path of the driver's socket. */
  path?: string
  /** Id of the device (one per connection). */
  device?: number
  /** Ring index, even = to guest, odd = from guest. */
  ring?: number
  /** Name of the control request, for instance `SET_MEM_TABLE`. */
  request?: string
  /** What the user can do. */
  fix?: string
  /** Short stable word for the cause, for instance `head_range` or `mem_map`. */
  reason?: string
  cause?: unknown
}

export class VhostError extends Error {
  readonly code: VhostErrorCode
  readonly path?: string
  readonly device?: number
  readonly ring?: number
  readonly request?: string
  readonly fix?: string
  readonly reason?: string

  constructor(code: VhostErrorCode, message: string, detail: VhostErrorDetail = {}) {
    super(
      detail.fix ? `${message}: ${detail.fix}` : message,
      detail.cause === undefined ? undefined : { cause: detail.cause },
    )
    this.name = 'VhostError'
    this.code = code
    this.path = detail.path
    this.device = detail.device
    this.ring = detail.ring
    this.request = detail.request
    this.fix = detail.fix
    this.reason = detail.reason
  }
}
