// The interfaces of a capture, and the blocks that describe them at the beginning and the end of a file.
import {
  type InterfaceCounters,
  interfaceDescription,
  interfaceStatistics,
  sectionHeader,
  type Timestamp,
} from './pcapng.js'

export interface CaptureInterface extends InterfaceCounters {
  readonly id: number
  readonly name: string
  /** Maximum number of bytes captured per packet. Infinity means all bytes. */
  readonly snaplen: number
}

/** The interface that a pipeline writes to, and the flags of the pipeline's packets. */
export interface CapturePort {
  readonly to: CaptureInterface
  /** The value of the option epb_flags. */
  readonly flags: number
}

export const describe = ({ name, snaplen }: CaptureInterface): Buffer =>
  interfaceDescription(name, snaplen === Infinity ? 0 : snaplen)

export const headOf = (interfaces: readonly CaptureInterface[]): Buffer =>
  Buffer.concat([sectionHeader(), ...interfaces.map(describe)])

export const tailOf = (interfaces: readonly CaptureInterface[], began: Timestamp, now: Timestamp): Buffer =>
  Buffer.concat(interfaces.map(one => interfaceStatistics(one.id, one, began, now)))
