// Reads the packets of a pcapng file (draft-ietf-opsawg-pcapng §3, §4), in either byte order: enhanced, simple and
// obsolete packet blocks; it skips blocks of other types. Every field is checked before it is used. It returns the position of
// a packet in the input; nothing is allocated for a packet.
import { VhostError } from '../errors.js'
import type { Input } from './input.js'
import {
  BYTE_ORDER_MAGIC,
  END_OF_OPTIONS,
  ENHANCED_PACKET,
  IF_TSOFFSET,
  IF_TSRESOL,
  INTERFACE_DESCRIPTION,
  LINKTYPE_ETHERNET,
  MAJOR_VERSION,
  PACKET,
  SECTION_HEADER,
  SIMPLE_PACKET,
  unitsPerMs,
} from './pcapng.js'

/** The longest block, in bytes; a longer one is refused. Wireshark has the same limit. */
const MOST_BLOCK = 16 << 20
/** Blocks without a packet that one call skips at most, so that it does not hold up the event loop. */
const MOST_SKIPPED = 1024
/** First words of a classic capture file, with micro- and with nanoseconds, in both byte orders. */
const CLASSIC = [0xa1b2c3d4, 0xd4c3b2a1, 0xa1b23c4d, 0x4d3cb2a1]

/** There is a packet: `data`, `length`, `ms`. */
export const FRAME = 1
/** The input does not have enough bytes yet. */
export const WAIT = 2
/** MOST_SKIPPED blocks were skipped; call again. */
export const SKIPPED = 3
/** The file has ended. */
export const END = 4
export type Next = typeof FRAME | typeof WAIT | typeof SKIPPED | typeof END

interface Interface {
  linkType: number
  snaplen: number
  /** Units of its timestamps in a millisecond, and milliseconds to add to them. */
  perMs: number
  offset: number
}

export class CaptureReader {
  readonly #input: Input
  #little = true
  #interfaces: Interface[] = []
  #inSection = false
  /** Bytes of the block of the current packet. */
  #block = 0
  /** Of the current packet: its offset in the input's view, its bytes, its time. */
  data = 0
  length = 0
  /** Milliseconds since 1970, as precise as a double is. */
  ms = 0

  constructor(input: Input) {
    this.#input = input
  }

  rewind(): void {
    this.#input.rewind()
    this.#inSection = false
    this.#block = 0
  }

  /** Finds the next packet; the same one until `take()`. Throws ERR_VHOST_CAPTURE_INVALID. */
  next(): Next {
    const input = this.#input
    for (let skipped = 0; skipped < MOST_SKIPPED; skipped++) {
      if (!input.need(12)) return this.#lacks()
      const type = this.#word(0)
      if (type === SECTION_HEADER) this.#order()
      else if (!this.#inSection) this.#noSection(type)
      const length = this.#word(4)
      if (length < 12 || length % 4 !== 0 || length > MOST_BLOCK) this.#bad(`a block of ${length} bytes`)
      if (!input.need(length)) return this.#lacks()
      if (this.#word(length - 4) !== length) this.#bad('a block whose two lengths differ')
      if (this.#read(type, length)) {
        this.#block = length
        return FRAME
      }
      input.consume(length)
    }
    return SKIPPED
  }

  /** Moves on after the current packet. */
  take(): void {
    this.#input.consume(this.#block)
    this.#block = 0
  }

  // Reads a block; true if it is a packet.
  #read(type: number, length: number): boolean {
    if (type === ENHANCED_PACKET || type === PACKET) return this.#packet(type, length)
    if (type === SIMPLE_PACKET) return this.#simple(length)
    if (type === INTERFACE_DESCRIPTION) this.#describe(length)
    if (type === SECTION_HEADER) {
      if (length < 28) this.#bad('a section header that is too short')
      if (this.#half(12) !== MAJOR_VERSION) this.#bad(`version ${this.#half(12)} of the format`)
      this.#interfaces = []
      this.#inSection = true
    }
    return false
  }

  #packet(type: number, length: number): boolean {
    if (length < 32) this.#bad('a packet block that is too short')
    const from = this.#interface(type === PACKET ? this.#half(8) : this.#word(8))
    this.ms = (this.#word(12) * 2 ** 32 + this.#word(16)) / from.perMs + from.offset
    return this.#found(28, this.#word(20), length)
  }

  // The block has no time: that of the packet before is used.
  #simple(length: number): boolean {
    if (length < 16) this.#bad('a packet block that is too short')
    const { snaplen } = this.#interface(0)
    return this.#found(12, Math.min(this.#word(8), snaplen || Infinity), length)
  }

  #found(at: number, captured: number, length: number): true {
    if (captured > length - at - 4) this.#bad(`a packet of ${captured} bytes in a block of ${length}`)
    this.data = this.#input.at + at
    this.length = captured
    return true
  }

  #interface(id: number): Interface {
    const found = this.#interfaces[id]
    if (found === undefined) return this.#bad(`a packet of interface ${id}, which is not described`)
    if (found.linkType !== LINKTYPE_ETHERNET)
      this.#bad(`a packet of link type ${found.linkType}, which is not Ethernet`)
    return found
  }

  #describe(length: number): void {
    if (length < 20) this.#bad('an interface description that is too short')
    const made = { linkType: this.#half(8), snaplen: this.#word(12), perMs: 1e3, offset: 0 }
    const end = length - 4
    for (let at = 16; at + 4 <= end; ) {
      const [code, size] = [this.#half(at), this.#half(at + 2)]
      if (code === END_OF_OPTIONS) break
      const value = at + 4
      if (value + size > end) this.#bad('an option that is longer than its block')
      if (code === IF_TSRESOL && size === 1) made.perMs = unitsPerMs(this.#byte(value))
      if (code === IF_TSOFFSET && size === 8) made.offset = this.#signed(value) * 1e3
      at = value + ((size + 3) & ~3)
    }
    this.#interfaces.push(made)
  }

  #order(): void {
    const { view, at } = this.#input
    this.#little = view.getUint32(at + 8, true) === BYTE_ORDER_MAGIC
    if (!this.#little && view.getUint32(at + 8) !== BYTE_ORDER_MAGIC) this.#bad('a section in no byte order')
  }

  #lacks(): Next {
    const { ended, left } = this.#input
    if (!ended) return WAIT
    if (left > 0) this.#bad('the file ends within a block')
    if (!this.#inSection) this.#bad('the file is empty')
    return END
  }

  #noSection(type: number): never {
    if (CLASSIC.includes(type))
      throw new VhostError('ERR_VHOST_CAPTURE_INVALID', 'this is a capture of the classic format', {
        fix: 'editcap -F pcapng old.pcap new.pcapng',
      })
    return this.#bad('no section header: this is no pcapng file')
  }

  #bad(what: string): never {
    throw new VhostError(
      'ERR_VHOST_CAPTURE_INVALID',
      `at byte ${this.#input.position} of the capture: ${what}`,
    )
  }

  #byte(at: number): number {
    return this.#input.view.getUint8(this.#input.at + at)
  }

  #half(at: number): number {
    return this.#input.view.getUint16(this.#input.at + at, this.#little)
  }

  #word(at: number): number {
    return this.#input.view.getUint32(this.#input.at + at, this.#little)
  }

  #signed(at: number): number {
    return Number(this.#input.view.getBigInt64(this.#input.at + at, this.#little))
  }
}
