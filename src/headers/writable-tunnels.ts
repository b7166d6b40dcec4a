// The writer's views of VXLAN and GRE. A number is cut to the width of its field. A write also updates all checksums that
// cover it.
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

/** A GRE header, to read and to write. Setting a field that it does not have throws a `TypeError`. */
export class WritableGreHeader extends GreHeader {
  /** @internal */
  declare readonly layout: WritableLayout

  override get key(): number | undefined {
    return super.key
  }
  override set key(value: number) {
    if (!this.keyPresent) throw new TypeError('a GRE header without a key')
    this.layout.upperLong(this.layout.gre + (this.checksumPresent ? 8 : 4), value)
  }
  override get sequenceNumber(): number | undefined {
    return super.sequenceNumber
  }
  override set sequenceNumber(value: number) {
    if (!this.sequenceNumberPresent) throw new TypeError('a GRE header without a sequence number')
    this.layout.upperLong(this.payloadOffset - 4, value)
  }
}
