// The blocks around the packets in a pcapng file (draft-ietf-opsawg-pcapng §4): section header, interface descriptions,
// statistics. They are few and small, so each is a Buffer of its own; chunk.ts has the blocks of packets. All are in the byte
// order of this machine, which the section header shows.

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

// Option codes; each belongs to one type of block.
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

/** if_tsresol: a power of ten of a second. */
const NANOSECONDS = 9
/** The length of the section, which is not known when it begins: a reader then can't skip it. */
const LENGTH_UNKNOWN = -1n

/** Nanoseconds since 1970, in the two words of the format. */
export interface Timestamp {
  readonly high: number
  readonly low: number
}

export interface InterfaceCounters {
  /** Packets that passed. */
  received: number
  /** Packets of these that the filter accepted. */
  accepted: number
  /** Packets of these that are in no file. */
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

/** §4.1: the header of a section, and so of a file. */
export function sectionHeader(): Buffer {
  return block(
    SECTION_HEADER,
    [words(BYTE_ORDER_MAGIC), halves(MAJOR_VERSION, 0), long(LENGTH_UNKNOWN)],
    [option(SHB_USER_APPLICATION, Buffer.from('rx-vhost'))],
  )
}

/** §4.2: the next interface of the section. A `snaplen` of 0 is none. */
export function interfaceDescription(name: string, snaplen: number): Buffer {
  return block(
    INTERFACE_DESCRIPTION,
    [halves(LINKTYPE_ETHERNET, 0), words(snaplen)],
    [option(IF_NAME, Buffer.from(name)), option(IF_TSRESOL, Buffer.of(NANOSECONDS))],
  )
}

/** §4.6: the counters of an interface from the beginning of the capture until `now`. */
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

/** Bytes of an interface's statistics, which always have the same length. */
export const STATISTICS_BYTES = interfaceStatistics(
  0,
  { received: 0, accepted: 0, dropped: 0 },
  { high: 0, low: 0 },
  { high: 0, low: 0 },
).length

/** Units in a millisecond by an if_tsresol: a power of two if the highest bit is set, otherwise of ten. */
export function unitsPerMs(resolution: number): number {
  return (resolution & 0x80 ? 2 : 10) ** (resolution & 0x7f) / 1e3
}
