// The writer's views of VXLAN and GRE. A number that is too large for its field is truncated to the width of the field.
// A write also updates all checksums that cover the field.
import { GreHeader, VxlanHeader } from './tunnels.js'
import type { WritableLayout } from './writable-layout.js'

/** A VXLAN header, to read and to write. */
export class WritableVxlanHeader extends VxlanHeader {
  /** @internal */
  declare readonly layout: WritableLayout

  override get networkIdentifier(): number {
    return super.networkIdentifier
  }
  override set networkIdentifier(value: number) {
    const { layout } = this
    layout.upperWord(layout.vxlan + 4, value >>> 8)
    layout.upperWord(layout.vxlan + 6, value << 8, 0xff00)
  }
}

/** A GRE header, to read and to write. Setting a field that is absent throws a `TypeError`. */
export class WritableGreHeader extends GreHeader {
  /** @internal */
  declare readonly layout: WritableLayout

  override get key(): number | undefined {
    return super.key
  }
  override set key(value: number) {
    if (!this.keyPresent) throw new TypeError('the GRE header has no key')
    this.layout.upperLong(this.layout.gre + (this.checksumPresent ? 8 : 4), value)
  }
  override get sequenceNumber(): number | undefined {
    return super.sequenceNumber
  }
  override set sequenceNumber(value: number) {
    if (!this.sequenceNumberPresent) throw new TypeError('the GRE header has no sequence number')
    this.layout.upperLong(this.payloadOffset - 4, value)
  }
}
