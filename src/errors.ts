// VhostError and the closed list of its codes. Every error of the library is a VhostError, or a TypeError or RangeError
// for a wrong argument. docs/errors.md lists the codes with causes and fixes.

/** The closed list of codes; docs/errors.md has a section for each. */
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
  | 'ERR_VHOST_OVERFLOW'
  | 'ERR_VHOST_POOL_EXHAUSTED'
  | 'ERR_VHOST_MEMORY_NOT_SHARED'
  | 'ERR_VHOST_MEMORY_REVOKED'
  | 'ERR_VHOST_RING'
  | 'ERR_VHOST_PROTOCOL'
  | 'ERR_VHOST_FEATURES_LOST'
  | 'ERR_VHOST_CAPTURE_FAILED'
  | 'ERR_VHOST_CAPTURE_INVALID'
  | 'ERR_VHOST_TAP_FAILED'
  | 'ERR_VHOST_LIBPCAP_MISSING'
  | 'ERR_VHOST_FILTER_INVALID'
  | 'ERR_VHOST_INVALID_ARGUMENT'

/** The fixes of codes that always have the same fix. */
const usualFixes: Partial<Record<VhostErrorCode, string>> = {
  ERR_VHOST_DEVICE_GONE:
    'of a guest, subscribe to the driver: it gives the next device, and its fromGuest() and toGuest() follow it by themselves; ' +
    'of a port that was closed, make another',
  ERR_VHOST_LEASE_RELEASED: 'release it once; retain() gives a second owner a lease of its own',
  ERR_VHOST_OVERFLOW: `use 'block', 'drop-newest' or 'drop-oldest', or make the receiver faster`,
}

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
  /** The fix: what the user can do. */
  fix?: string
  /** Short stable word for the cause, for instance `head_range` or `mem_map`. */
  reason?: string
  /**
   * More about the reason, if known: `truncated` or `no_backing` for `memory_revoked`, `hardware` for
   * `memory_hw_error`.
   */
  detail?: string
  /** The error that caused this one, if one was caught. */
  cause?: unknown
}

/**
 * Every error of the library, except a `TypeError` or `RangeError` for a wrong argument. docs/errors.md has all codes.
 */
export class VhostError extends Error {
  /** The code, which is stable, so that programs can compare it. */
  readonly code: VhostErrorCode
  /** The path of the driver's socket. */
  readonly path?: string
  /** Id of the device. */
  readonly device?: number
  /** Ring index, even = to guest, odd = from guest. */
  readonly ring?: number
  /** Name of the control request. */
  readonly request?: string
  /** What the user can do. The message has it too. */
  readonly fix?: string
  /** Short stable word for the cause. */
  readonly reason?: string
  /** More about the reason, if known. */
  readonly detail?: string

  constructor(code: VhostErrorCode, message: string, detail: VhostErrorDetail = {}) {
    const fix = detail.fix ?? usualFixes[code]
    super(
      fix ? `${message}: ${fix}` : message,
      detail.cause === undefined ? undefined : { cause: detail.cause },
    )
    this.name = 'VhostError'
    this.code = code
    this.path = detail.path
    this.device = detail.device
    this.ring = detail.ring
    this.request = detail.request
    this.fix = fix
    this.reason = detail.reason
    this.detail = detail.detail
  }
}
