// Counts packets by flow for measureFlows, in columns beside a bounded table. Objects are allocated by a report and by the
// end of a record, never by a packet.
import { FlowKey, type FlowKeyOptions, FlowKeyReader, KEY_WORDS } from '../../headers/index.js'
import type { Packet } from '../../packet/packet.js'
import { LruTable, NONE } from '../shared/lru-table.js'

/** The packets of one flow. */
export interface FlowRecord {
  /** The flow, in the direction of its first packet. */
  readonly key: FlowKey
  /** Packets since `first`. */
  readonly packets: number
  /** Bytes of those frames, without the virtio-net header. */
  readonly bytes: number
  /** When the first packet came, by the scheduler's clock, in milliseconds. */
  readonly first: number
  /** When the last packet came. */
  readonly last: number
  /** All TCP control bits that were seen, as `TcpFlag`; 0 for other protocols. */
  readonly tcpFlags: number
}

/** Why a record ended (IPFIX's flowEndReason, RFC 5102 §5.11.3). */
export type FlowEnd = 'idle' | 'active' | 'evicted' | 'end'

/** A record that has ended. */
export interface EndedFlow extends FlowRecord {
  /** Why it ended. */
  readonly reason: FlowEnd
}

/** A report of `measureFlows`. */
export interface FlowReport {
  /** When it was made, by the scheduler's clock, in milliseconds. */
  readonly time: number
  /** Flows that go on, least recently seen first. */
  readonly flows: readonly FlowRecord[]
  /** Records that ended since the last report, at most `maxFlows`. */
  readonly ended: readonly EndedFlow[]
  /** How many more records ended than `ended` has room for. */
  readonly lost: number
}

export class FlowMeter {
  readonly #key: FlowKeyReader
  readonly #table: LruTable
  readonly #packets: Float64Array
  readonly #bytes: Float64Array
  readonly #first: Float64Array
  readonly #flags: Uint8Array
  readonly #reversed: Uint8Array
  #ended: EndedFlow[] = []
  #lost = 0

  constructor(options: FlowKeyOptions, capacity: number) {
    this.#key = new FlowKeyReader(options)
    this.#table = new LruTable(capacity, KEY_WORDS)
    this.#packets = new Float64Array(capacity)
    this.#bytes = new Float64Array(capacity)
    this.#first = new Float64Array(capacity)
    this.#flags = new Uint8Array(capacity)
    this.#reversed = new Uint8Array(capacity)
  }

  tick(now: number): void {
    this.#table.tick(now)
  }

  count(packet: Packet): void {
    const key = this.#key.of(packet)
    const table = this.#table
    let entry = table.find(key.words, key.hash)
    if (entry !== NONE) table.touch(entry)
    else {
      if (table.size === table.capacity) this.#end(table.oldest(), 'evicted')
      entry = table.add(key.words, key.hash)
      this.#reversed[entry] = key.reversed ? 1 : 0
      this.#begin(entry)
    }
    // The first packet, or the first one since a record ended for its age.
    if (this.#packets[entry] === 0) this.#first[entry] = table.now
    this.#packets[entry]++
    this.#bytes[entry] += packet.length
    const { tcp, view, start } = key.reader.layout
    if (tcp >= 0) this.#flags[entry] |= view.getUint8(start + tcp + 13)
  }

  /** Ends the records that had no packet for `idle`, or are older than `active`, and reports them and the others. */
  report(idle: number, active: number): FlowReport {
    const table = this.#table
    for (let entry = table.expired(idle); entry !== NONE; entry = table.expired(idle))
      this.#end(entry, 'idle')
    const flows: FlowRecord[] = []
    for (let entry = table.oldest(); entry !== NONE; entry = table.newer(entry)) {
      if (this.#packets[entry] > 0 && table.now - this.#first[entry] >= active) this.#close(entry, 'active')
      if (this.#packets[entry] > 0) flows.push(this.#record(entry))
    }
    return this.#report(flows)
  }

  /** Ends all records. */
  end(): FlowReport {
    for (let entry = this.#table.oldest(); entry !== NONE; entry = this.#table.oldest())
      this.#end(entry, 'end')
    return this.#report([])
  }

  #report(flows: FlowRecord[]): FlowReport {
    const report = { time: this.#table.now, flows, ended: this.#ended, lost: this.#lost }
    this.#ended = []
    this.#lost = 0
    return report
  }

  #begin(entry: number): void {
    this.#packets[entry] = 0
    this.#bytes[entry] = 0
    this.#flags[entry] = 0
  }

  #end(entry: number, reason: FlowEnd): void {
    if (this.#packets[entry] > 0) this.#close(entry, reason)
    this.#table.remove(entry)
  }

  // A guest that makes up flows ends many records: a report's list is bounded.
  #close(entry: number, reason: FlowEnd): void {
    if (this.#ended.length < this.#table.capacity) this.#ended.push({ ...this.#record(entry), reason })
    else this.#lost++
    this.#begin(entry)
  }

  #record(entry: number): FlowRecord {
    return {
      key: new FlowKey(this.#table.keys, entry * KEY_WORDS, this.#reversed[entry] === 1),
      packets: this.#packets[entry],
      bytes: this.#bytes[entry],
      first: this.#first[entry],
      last: this.#table.seen[entry],
      tcpFlags: this.#flags[entry],
    }
  }
}
