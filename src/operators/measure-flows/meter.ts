// Counts packets by flow for measureFlows: columns beside a bounded table. Objects are made by a report and for a flow that
// ends, never for a packet.
import { FlowKey, type FlowKeyOptions, FlowKeyReader, KEY_WORDS } from '../../headers/index.js'
import type { Packet } from '../../packet/packet.js'
import { LruTable, NONE } from '../shared/lru-table.js'

/** What passed of one flow. */
export interface FlowRecord {
  /** As its first packet went. */
  readonly key: FlowKey
  /** Since `first`. */
  readonly packets: number
  /** Of frames, without the virtio-net header. */
  readonly bytes: number
  /** When the first packet came, by the scheduler's clock, in milliseconds. */
  readonly first: number
  /** When the last one did. */
  readonly last: number
  /** All of TCP's control bits that were seen, as `TcpFlag`; 0 for others. */
  readonly tcpFlags: number
}

/** Why a record was closed (IPFIX's flowEndReason, RFC 5102 §5.11.3). */
export type FlowEnd = 'idle' | 'active' | 'evicted' | 'end'

/** A record that will not grow any more. */
export interface EndedFlow extends FlowRecord {
  /** Why it was closed. */
  readonly reason: FlowEnd
}

/** What `measureFlows` tells, every so often. */
export interface FlowReport {
  /** By the scheduler's clock, in milliseconds. */
  readonly time: number
  /** Flows that go on, the one that was quiet for longest first. */
  readonly flows: readonly FlowRecord[]
  /** Records that were closed since the last report. */
  readonly ended: readonly EndedFlow[]
  /** Of them, how many more there were than are kept for a report. */
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
    // Since the last record was closed for its age.
    if (this.#packets[entry] === 0) this.#first[entry] = table.now
    this.#packets[entry]++
    this.#bytes[entry] += packet.length
    const { tcp, view, start } = key.reader.layout
    if (tcp >= 0) this.#flags[entry] |= view.getUint8(start + tcp + 13)
  }

  /** Closes what was quiet for `idle`, and what is older than `active`; tells of both, and of those that go on. */
  report(idle: number, active: number): FlowReport {
    const table = this.#table
    for (let entry = table.expired(idle); entry !== NONE; entry = table.expired(idle))
      this.#end(entry, 'idle')
    const flows: FlowRecord[] = []
    for (let entry = table.oldest(); entry !== NONE; entry = table.newer(entry)) {
      if (this.#packets[entry] > 0 && table.now - this.#first[entry] >= active) this.#close(entry, 'active')
      if (this.#packets[entry] > 0) flows.push(this.#record(entry))
    }
    return this.#told(flows)
  }

  /** Closes all. */
  end(): FlowReport {
    for (let entry = this.#table.oldest(); entry !== NONE; entry = this.#table.oldest())
      this.#end(entry, 'end')
    return this.#told([])
  }

  #told(flows: FlowRecord[]): FlowReport {
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

  // What a guest can end by making up flows is bounded, too.
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
