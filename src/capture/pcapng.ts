// Encodes the blocks of a pcapng file that contain no packets (draft-ietf-opsawg-pcapng §4): section header, interface
// descriptions and statistics. These blocks are few and small, so each is a new Buffer. chunk.ts encodes the blocks of
// packets. All blocks use the byte order of this machine. The section header tells readers the byte order.

// Block types.
export const SECTION_HEADER = 0x0a0d0d0a
export const INTERFACE_DESCRIPTION = 1
export const PACKET = 2
export const SIMPLE_PACKET = 3
export const INTERFACE_STATISTICS = 5
export const ENHANCED_PACKET = 6

export const BYTE_ORDER_MAGIC = 0x1a2b3c4d
export const MAJOR_VERSION = 1
export const LINKTYPE_ETHERNET = 1

// Option codes. Each is used in one type of block.
export const END_OF_OPTIONS = 0
const SHB_USER_APPLICATION = 4
const IF_NAME = 2
export const IF_TSRESOL = 9
export const IF_TSOFFSET = 14
export const EPB_FLAGS = 2
const ISB_START_TIME = 2
const ISB_END_TIME = 3
const ISB_RECEIVED = 4
const ISB_DROPPED = 5
const ISB_ACCEPTED = 6
const ISB_DELIVERED = 8

/** Value of if_tsresol: a unit of 10^-9 seconds. */
const NANOSECONDS = 9
/**
 * Value of the length field in the section header. It means that the length is unknown, because the header is written
 * before the rest of the section. Readers can't skip such a section.
 */
const LENGTH_UNKNOWN = -1n

/** Nanoseconds since 1970 as two 32-bit words, as in the file. */
export interface Timestamp {
  readonly high: number
  readonly low: number
}

export interface InterfaceCounters {
  /** Number of packets that the operator received. */
  received: number
  /** Number of received packets that the filter accepted. */
  accepted: number
  /** Number of accepted packets that are not in any file. */
  dropped: number
}

const words = (...values: number[]): Buffer => Buffer.from(Uint32Array.from(values).buffer)
const halves = (...values: number[]): Buffer => Buffer.from(Uint16Array.from(values).buffer)
const long = (value: bigint): Buffer => Buffer.from(BigInt64Array.of(value).buffer)
const time = ({ high, low }: Timestamp): Buffer => words(high, low)

function option(code: number, value: Buffer): Buffer {
  return Buffer.concat([halves(code, value.length), value, Buffer.alloc(-value.length & 3)])
}

function block(type: number, fields: Buffer[], options: Buffer[]): Buffer {
  const body = Buffer.concat([...fields, ...options, option(END_OF_OPTIONS, Buffer.alloc(0))])
  const length = words(body.length + 12)
  return Buffer.concat([words(type), length, body, length])
}

/** Encodes the header of a section (§4.1). A file begins with this header. */
export function sectionHeader(): Buffer {
  return block(
    SECTION_HEADER,
    [words(BYTE_ORDER_MAGIC), halves(MAJOR_VERSION, 0), long(LENGTH_UNKNOWN)],
    [option(SHB_USER_APPLICATION, Buffer.from('rx-vhost'))],
  )
}

/** Encodes the description of the section's next interface (§4.2). A `snaplen` of 0 means that there is no limit. */
export function interfaceDescription(name: string, snaplen: number): Buffer {
  return block(
    INTERFACE_DESCRIPTION,
    [halves(LINKTYPE_ETHERNET, 0), words(snaplen)],
    [option(IF_NAME, Buffer.from(name)), option(IF_TSRESOL, Buffer.of(NANOSECONDS))],
  )
}

/** Encodes the counters of an interface, from the beginning of the capture until `now` (§4.6). */
export function interfaceStatistics(
  id: number,
  { received, accepted, dropped }: InterfaceCounters,
  began: Timestamp,
  now: Timestamp,
): Buffer {
  return block(
    INTERFACE_STATISTICS,
    [words(id), time(now)],
    [
      option(ISB_START_TIME, time(began)),
      option(ISB_END_TIME, time(now)),
      option(ISB_RECEIVED, long(BigInt(received))),
      option(ISB_DROPPED, long(BigInt(dropped))),
      option(ISB_ACCEPTED, long(BigInt(accepted))),
      option(ISB_DELIVERED, long(BigInt(accepted - dropped))),
    ],
  )
}

/** Length of an interface's statistics block, which is always the same. */
export const STATISTICS_BYTES = interfaceStatistics(
  0,
  { received: 0, accepted: 0, dropped: 0 },
  { high: 0, low: 0 },
  { high: 0, low: 0 },
).length

/**
 * Returns the number of timestamp units per millisecond. `resolution` is the value of if_tsresol: an exponent of 2 if
 * the highest bit is set, otherwise an exponent of 10.
 */
export function unitsPerMs(resolution: number): number {
  return (resolution & 0x80 ? 2 : 10) ** (resolution & 0x7f) / 1e3
}
