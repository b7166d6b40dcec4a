// The base of all views of a header.
import type { Layout } from './layout.js'

/**
 * A header of the packet that a reader or writer is at. Reading a field throws `ERR_VHOST_LEASE_ENDED` or
 * `ERR_VHOST_LEASE_RELEASED` if the packet's lease has ended. It throws a `RangeError` if the reader has moved to a
 * packet without such a header. Offsets are in bytes from the start of the frame.
 */
export abstract class HeaderView<L extends Layout = Layout> {
  /** @internal */
  readonly layout: L

  /** @internal */
  constructor(layout: L) {
    this.layout = layout
  }

  /** Offset of the header. */
  abstract get offset(): number
  /** Length of the header in bytes, including options. */
  abstract get length(): number

  /** Offset of the payload. */
  get payloadOffset(): number {
    return this.offset + this.length
  }
}
