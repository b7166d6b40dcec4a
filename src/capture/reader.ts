// Reads the packets of a pcapng file (draft-ietf-opsawg-pcapng §3, §4) in either byte order. It supports enhanced,
// simple and obsolete packet blocks, and skips blocks without packets. It checks every field before it uses the field.
// For each packet it gives the position in the input, and allocates nothing.
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

/** Maximum length of a block in bytes. Wireshark has the same limit. */
const MOST_BLOCK = 16 << 20
/**
 * Maximum number of blocks without a packet that one call skips. The limit keeps the call from blocking the event loop.
 */
const MOST_SKIPPED = 1024
/** First words of a classic pcap file, with microseconds and with nanoseconds, in both byte orders. */
const CLASSIC = [0xa1b2c3d4, 0xd4c3b2a1, 0xa1b23c4d, 0x4d3cb2a1]

/** A packet was found. `data`, `length` and `ms` describe it. */
export const FRAME = 1
/** The input does not have enough bytes yet. */
export const WAIT = 2
/** MOST_SKIPPED blocks were skipped. Call `next()` again. */
export const SKIPPED = 3
/** The file has ended. */
export const END = 4
export type Next = typeof FRAME | typeof WAIT | typeof SKIPPED | typeof END

interface Interface {
  linkType: number
  snaplen: number
  /** Number of timestamp units per millisecond. */
  perMs: number
  /** Milliseconds to add to each timestamp. */
  offset: number
}

export class CaptureReader {
  readonly #input: Input
  #little = true
  #interfaces: Interface[] = []
  #inSection = false
  /** Length of the current packet's block in bytes. */
  #block = 0
  /** Offset of the current packet's data in the input's view. */
  data = 0
  /** Number of captured bytes of the current packet. */
  length = 0
  /** Time of the current packet in milliseconds since 1970, with the precision of a double. */
  ms = 0

  constructor(input: Input) {
    this.#input = input
  }

  rewind(): void {
    this.#input.rewind()
    this.#inSection = false
    this.#block = 0
  }

  /**
   * Finds the next packet. Finds the same packet again until `take()` is called. Throws ERR_VHOST_CAPTURE_INVALID if
   * the file is invalid.
   */
  next(): Next {
    const input = this.#input
    for (let skipped = 0; skipped < MOST_SKIPPED; skipped++) {
      if (!input.need(12)) return this.#missing()
      const type = this.#word(0)
      if (type === SECTION_HEADER) this.#readByteOrder()
      else if (!this.#inSection) this.#noSection(type)
      const length = this.#word(4)
      if (length < 12 || length % 4 !== 0 || length > MOST_BLOCK)
        this.#bad(`a block has an invalid length of ${length} bytes`)
      if (!input.need(length)) return this.#missing()
      if (this.#word(length - 4) !== length) this.#bad('the two length fields of a block are different')
      if (this.#read(type, length)) {
        this.#block = length
        return FRAME
      }
      input.consume(length)
    }
    return SKIPPED
  }

  /** Moves past the current packet. */
  take(): void {
    this.#input.consume(this.#block)
    this.#block = 0
  }

  // Reads a block. Returns true if the block is a packet.
  #read(type: number, length: number): boolean {
    if (type === ENHANCED_PACKET || type === PACKET) return this.#packet(type, length)
    if (type === SIMPLE_PACKET) return this.#simple(length)
    if (type === INTERFACE_DESCRIPTION) this.#describe(length)
    if (type === SECTION_HEADER) {
      if (length < 28) this.#bad('the section header is too short')
      if (this.#half(12) !== MAJOR_VERSION) this.#bad(`pcapng version ${this.#half(12)} is not supported`)
      this.#interfaces = []
      this.#inSection = true
    }
    return false
  }

  #packet(type: number, length: number): boolean {
    if (length < 32) this.#bad('a packet block is too short')
    const from = this.#interface(type === PACKET ? this.#half(8) : this.#word(8))
    this.ms = (this.#word(12) * 2 ** 32 + this.#word(16)) / from.perMs + from.offset
    return this.#found(28, this.#word(20), length)
  }

  // Reads a simple packet block. The block has no time, so the time of the previous packet is used.
  #simple(length: number): boolean {
    if (length < 16) this.#bad('a packet block is too short')
    const { snaplen } = this.#interface(0)
    return this.#found(12, Math.min(this.#word(8), snaplen || Infinity), length)
  }

  #found(at: number, captured: number, length: number): true {
    if (captured > length - at - 4)
      this.#bad(`a packet of ${captured} bytes does not fit into its block of ${length} bytes`)
    this.data = this.#input.at + at
    this.length = captured
    return true
  }

  #interface(id: number): Interface {
    const found = this.#interfaces[id]
    if (found === undefined)
      return this.#bad(
        `a packet belongs to interface ${id}, but the section does not describe this interface`,
      )
    if (found.linkType !== LINKTYPE_ETHERNET)
      this.#bad(`a packet has link type ${found.linkType}, but only Ethernet is supported`)
    return found
  }

  #describe(length: number): void {
    if (length < 20) this.#bad('an interface description is too short')
    const made = { linkType: this.#half(8), snaplen: this.#word(12), perMs: 1e3, offset: 0 }
    const end = length - 4
    for (let at = 16; at + 4 <= end; ) {
      const [code, size] = [this.#half(at), this.#half(at + 2)]
      if (code === END_OF_OPTIONS) break
      const value = at + 4
      if (value + size > end) this.#bad('an option is longer than its block')
      if (code === IF_TSRESOL && size === 1) made.perMs = unitsPerMs(this.#byte(value))
      if (code === IF_TSOFFSET && size === 8) made.offset = this.#signed(value) * 1e3
      at = value + ((size + 3) & ~3)
    }
    this.#interfaces.push(made)
  }

  #readByteOrder(): void {
    const { view, at } = this.#input
    this.#little = view.getUint32(at + 8, true) === BYTE_ORDER_MAGIC
    if (!this.#little && view.getUint32(at + 8) !== BYTE_ORDER_MAGIC)
      this.#bad('the section header has no valid byte-order magic')
  }

  #missing(): Next {
    const { ended, left } = this.#input
    if (!ended) return WAIT
    if (left > 0) this.#bad('the file ends in the middle of a block')
    if (!this.#inSection) this.#bad('the file is empty')
    return END
  }

  #noSection(type: number): never {
    if (CLASSIC.includes(type))
      throw new VhostError(
        'ERR_VHOST_CAPTURE_INVALID',
        'the file has the classic pcap format instead of pcapng',
        {
          fix: 'convert it with editcap -F pcapng old.pcap new.pcapng',
        },
      )
    return this.#bad('the file is not a pcapng file, because it does not begin with a section header')
  }

  #bad(fault: string): never {
    throw new VhostError(
      'ERR_VHOST_CAPTURE_INVALID',
      `invalid capture at byte ${this.#input.position}: ${fault}`,
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
