// The base of all views of a header.
import type { Layout } from './layout.js'

/**
 * A header of the packet that a reader or writer looks at. Reads go through the packet: they throw
 * `ERR_VHOST_LEASE_ENDED` or `ERR_VHOST_LEASE_RELEASED` when its lease has ended, and a `RangeError` once the reader
 * is at a packet without such a header. Offsets are in bytes from the start of the frame.
 */
export abstract class HeaderView<L extends Layout = Layout> {
  /** @internal */
  readonly layout: L

  /** @internal */
  constructor(layout: L) {
    this.layout = layout
  }

  /** Where the header begins. */
  abstract get offset(): number
  /** Its length in bytes, options included. */
  abstract get length(): number

  /** Where the payload begins. */
  get payloadOffset(): number {
    return this.offset + this.length
  }
}
