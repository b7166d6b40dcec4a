// The table that `route` learns addresses into and looks them up in (IEEE 802.1Q §8.8: learning, ageing). All pipelines of a
// switch share one; each is a port while it is subscribed. A guest can make up an address for each frame, so each port has
// a bound: beyond it, a new address evicts the oldest one of the same port.
import { getRandomValues } from 'node:crypto'
import { formatMac, macAddress } from '../../headers/index.js'
import { sipHash } from '../../headers/sip-hash.js'
import type { Overflow, PacketSink } from '../../packet/sink.js'
import { LruTable, NONE } from '../shared/lru-table.js'
import { NO_PART, type PartTarget } from '../shared/parts.js'

/** Each port has a list of the table. A switch meets other bounds before it has so many ports. */
const MOST_PORTS = 4096
/** The list of static addresses; the lists of ports follow. */
const STATIC = 0
const TWO_32 = 0x100000000
const KEY_WORDS = 2
/** The bit of group addresses in the first 16 bits (IEEE 802.1Q §8.7). */
const GROUP = 0x100
/** The shortest frame of Ethernet, without its checksum. */
const FRAME_BYTES = 60
/** The EtherType of RARP (RFC 903). */
const RARP = 0x8035
/** Hardware type Ethernet, protocol type IPv4, their lengths, and the operation “reverse request”. */
const REVERSE_REQUEST = [0, 1, 0x08, 0, 6, 4, 0, 3]

/** Bounds and ageing of a `ForwardingTable`. */
export interface ForwardingTableOptions {
  /** Addresses known at one time. Default 8,192. */
  maxAddresses?: number
  /** Addresses known at one port. Default 1,024. */
  maxPerPort?: number
  /** Milliseconds without a frame after which an address is forgotten. Default 300,000 (IEEE 802.1Q §8.8.3). */
  age?: number
  /** A clock that never goes back, in milliseconds; for tests. */
  now?: () => number
}

/** An address of a `ForwardingTable`. */
export interface ForwardingEntry {
  /** Such as `02:00:00:00:00:01`. */
  readonly address: string
  /** VLAN identifier; 0 for frames without a tag. */
  readonly vlan: number
  /** The sink that frames to this address go to. */
  readonly sink: PacketSink
  /** Whether `addStatic()` has bound it. */
  readonly isStatic: boolean
  /** Milliseconds since the last frame from this address; 0 for a static one. */
  readonly age: number
}

/** A sink whose pipelines are subscribed. @internal */
export class SwitchPort implements PartTarget {
  part = NO_PART
  users = 1
  unwatch: (() => void) | undefined

  constructor(
    readonly sink: PacketSink,
    readonly overflow: Overflow,
    readonly list: number,
  ) {}
}

/** The addresses at the ports of a switch: see `route`. */
export class ForwardingTable {
  readonly #table: LruTable
  /** By list; null: a list that is free. */
  readonly #ports: (SwitchPort | null | undefined)[] = [undefined]
  /** The sinks of static addresses, by entry. */
  readonly #static: (PacketSink | undefined)[] = []
  readonly #maxPerPort: number
  readonly #age: number
  readonly #now: () => number
  readonly #key = new Int32Array(KEY_WORDS)
  readonly #seed = getRandomValues(new Int32Array(2))
  #members: readonly SwitchPort[] = []
  #hash = 0
  #moved = 0
  #swept = Number.NEGATIVE_INFINITY

  constructor({
    maxAddresses = 8192,
    maxPerPort = 1024,
    age = 300_000,
    now = () => performance.now(),
  }: ForwardingTableOptions = {}) {
    this.#table = new LruTable(maxAddresses, KEY_WORDS, MOST_PORTS)
    this.#maxPerPort = maxPerPort
    this.#age = age
    this.#now = now
  }

  /**
   * Binds an address, such as `02:00:00:00:00:01`, to a sink: it does not age, and is not learned at another port. Frames
   * from another port with that source address are dropped, and counted as `spoofed`. Throws a `RangeError` when the table
   * is full.
   */
  addStatic(address: string, sink: PacketSink, vlan = 0): void {
    const known = this.#entryOf(address, vlan)
    if (known !== NONE) this.#table.touch(known, STATIC)
    const entry = known !== NONE ? known : this.#table.add(this.#key, this.#hash, STATIC)
    if (entry === NONE)
      throw new RangeError(`the table is full: give it more than ${this.#table.capacity} addresses`)
    this.#static[entry] = sink
  }

  /** Undoes `addStatic`. */
  removeStatic(address: string, vlan = 0): void {
    const entry = this.#entryOf(address, vlan)
    if (entry !== NONE && this.#table.listOf(entry) === STATIC) this.#table.remove(entry)
  }

  /** The sink that frames to this address go to; `undefined` if they are flooded. */
  lookup(address: string, vlan = 0): PacketSink | undefined {
    const mac = macAddress(address)
    this.tick()
    return this.find(Math.floor(mac / TWO_32), (mac % TWO_32) | 0, vlan)?.sink
  }

  /**
   * Learns an address as from a frame: frames to it go to `sink`, until it moves or ages. Returns false, and learns
   * nothing, if the address is bound to another sink or `sink` is not a port. Throws a `RangeError` for an address that is
   * no station's.
   */
  learn(address: string, sink: PacketSink, vlan = 0): boolean {
    const mac = macAddress(address)
    const high = Math.floor(mac / TWO_32)
    if (mac === 0 || (high & GROUP) !== 0)
      throw new RangeError(`${address} is a group address or zero: use the address of one station`)
    const port = this.#portOf(sink)
    if (port === undefined) return false
    this.tick()
    return this.see(high, (mac % TWO_32) | 0, vlan, port)
  }

  /** Forgets a learned address, or all that were learned at a sink. Addresses of `addStatic()` stay. */
  forget(address: string, vlan?: number): void
  forget(sink: PacketSink): void
  forget(what: string | PacketSink, vlan = 0): void {
    if (typeof what === 'string') {
      const entry = this.#entryOf(what, vlan)
      if (entry !== NONE && this.#table.listOf(entry) !== STATIC) this.#table.remove(entry)
      return
    }
    const port = this.#portOf(what)
    if (port !== undefined) this.#forgetAt(port)
  }

  /** All addresses that frames are sent by: static ones, then those of each port, the least recently seen first. */
  entries(): ForwardingEntry[] {
    this.tick()
    const table = this.#table
    const found: ForwardingEntry[] = []
    for (const list of [STATIC, ...this.#members.map(port => port.list)])
      for (let entry = table.oldest(list); entry !== NONE; entry = table.newer(entry)) {
        const isStatic = list === STATIC
        const age = isStatic ? 0 : table.now - table.seen[entry]
        const sink = isStatic ? this.#static[entry] : this.#ports[list]?.sink
        if (age >= this.#age || sink === undefined) continue
        const [high, low] = table.keys.subarray(entry * KEY_WORDS, (entry + 1) * KEY_WORDS)
        const address = formatMac((high & 0xffff) * TWO_32 + (low >>> 0))
        found.push({ address, vlan: high >>> 16, sink, isStatic, age })
      }
    return found
  }

  /** How many addresses are known, and how often one moved to another port. */
  get stats(): { readonly addresses: number; readonly moved: number } {
    return { addresses: this.#table.size, moved: this.#moved }
  }

  /** Ports that are subscribed. @internal */
  get ports(): readonly SwitchPort[] {
    return this.#members
  }

  /** @internal */
  join(sink: PacketSink, overflow: Overflow): SwitchPort {
    const known = this.#members.find(port => port.sink === sink)
    if (known !== undefined) {
      known.users++
      return known
    }
    const free = this.#ports.indexOf(null)
    const list = free < 0 ? this.#ports.length : free
    if (list === MOST_PORTS) throw new RangeError(`a switch has at most ${MOST_PORTS} ports`)
    const port = new SwitchPort(sink, overflow, list)
    this.#ports[list] = port
    this.#members = [...this.#members, port]
    port.unwatch = sink.watch?.({
      moved: mac => this.#announce(mac, port),
      gone: () => this.#forgetAt(port),
    })
    return port
  }

  /** A subscription of a port ends; the table forgets the port's addresses with the last one. @internal */
  leave(port: SwitchPort): void {
    if (--port.users > 0) return
    port.unwatch?.()
    this.#forgetAt(port)
    this.#ports[port.list] = null
    this.#members = this.#members.filter(other => other !== port)
  }

  /** Reads the clock: once a burst. @internal */
  tick(): void {
    this.#table.tick(this.#now())
  }

  /** The port of an address, its upper 16 and lower 32 bits; `undefined` if it is not known. @internal */
  find(high: number, low: number, vlan: number): SwitchPort | undefined {
    const entry = this.#entry(high, low, vlan)
    if (entry === NONE) return undefined
    if (this.#table.listOf(entry) === STATIC) return this.#portOf(this.#static[entry])
    if (this.#table.now - this.#table.seen[entry] >= this.#age) return undefined
    return this.#ports[this.#table.listOf(entry)] ?? undefined
  }

  /** A frame from `port` has this source address. False: the address is bound to another sink. @internal */
  see(high: number, low: number, vlan: number, port: SwitchPort): boolean {
    const table = this.#table
    const entry = this.#entry(high, low, vlan)
    if (entry !== NONE) {
      if (table.listOf(entry) === STATIC) return this.#static[entry] === port.sink
      const moves = table.listOf(entry) !== port.list
      if (moves) this.#moved++
      if (moves && table.count(port.list) >= this.#maxPerPort) table.remove(table.oldest(port.list))
      table.touch(entry, port.list)
      return true
    }
    if (table.count(port.list) >= this.#maxPerPort) table.remove(table.oldest(port.list))
    else if (table.size === table.capacity) this.#makeRoom(port)
    // Adds nothing if there is no room: frames to the address are flooded, as before.
    table.add(this.#key, this.#hash, port.list)
    return true
  }

  // The guest is at `port` now and does not say so itself. Learns its address, and tells the stations at other ports, among
  // which there can be other switches.
  #announce(mac: string, port: SwitchPort): void {
    if (!this.learn(mac, port.sink)) return
    const frame = announcement(macAddress(mac))
    for (const other of this.#members) if (other !== port) other.sink.sendFrame?.(frame)
  }

  #forgetAt({ list }: SwitchPort): void {
    const table = this.#table
    for (let entry = table.oldest(list); entry !== NONE; entry = table.oldest(list)) table.remove(entry)
  }

  // Removes aged addresses of all ports, at most once a second; if there are none, the oldest one of this port.
  #makeRoom(port: SwitchPort): void {
    const table = this.#table
    if (table.now - this.#swept >= Math.min(this.#age, 1000)) {
      this.#swept = table.now
      for (const { list } of this.#members)
        for (
          let entry = table.expired(this.#age, list);
          entry !== NONE;
          entry = table.expired(this.#age, list)
        )
          table.remove(entry)
    }
    const own = table.oldest(port.list)
    if (table.size === table.capacity && own !== NONE) table.remove(own)
  }

  #entry(high: number, low: number, vlan: number): number {
    this.#key[0] = (vlan << 16) | high
    this.#key[1] = low
    this.#hash = sipHash(this.#key, KEY_WORDS, this.#seed[0], this.#seed[1])
    return this.#table.find(this.#key, this.#hash)
  }

  #entryOf(address: string, vlan: number): number {
    const mac = macAddress(address)
    return this.#entry(Math.floor(mac / TWO_32), (mac % TWO_32) | 0, vlan)
  }

  #portOf(sink: PacketSink | undefined): SwitchPort | undefined {
    for (const port of this.#members) if (port.sink === sink) return port
    return undefined
  }
}

/** A RARP request for the station's own address, as QEMU sends it: to all, with the address as its source. */
function announcement(mac: number): Uint8Array {
  const frame = new Uint8Array(FRAME_BYTES).fill(0xff, 0, 6)
  const view = new DataView(frame.buffer)
  // The source of the frame, the sender and the target.
  for (const at of [6, 22, 32]) {
    view.setUint16(at, Math.floor(mac / TWO_32))
    view.setUint32(at + 2, mac % TWO_32)
  }
  view.setUint16(12, RARP)
  frame.set(REVERSE_REQUEST, 14)
  return frame
}
