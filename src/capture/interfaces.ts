// The interfaces of a capture, and what a file has for them at its begin and at its end.
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
  /** Infinity: none. */
  readonly snaplen: number
}

/** What a pipeline writes through: an interface, and how. */
export interface CapturePort {
  readonly to: CaptureInterface
  /** epb_flags. */
  readonly flags: number
}

export const describe = ({ name, snaplen }: CaptureInterface): Buffer =>
  interfaceDescription(name, snaplen === Infinity ? 0 : snaplen)

export const headOf = (interfaces: readonly CaptureInterface[]): Buffer =>
  Buffer.concat([sectionHeader(), ...interfaces.map(describe)])

export const tailOf = (interfaces: readonly CaptureInterface[], began: Timestamp, now: Timestamp): Buffer =>
  Buffer.concat(interfaces.map(one => interfaceStatistics(one.id, one, began, now)))
