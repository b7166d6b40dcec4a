// The subscription of groupByFlow: a table of flows, a group for each. A burst is split first, which calls nobody; then
// new groups are emitted, parts given, and groups that had to go complete, each in its turn. In between anyone may
// unsubscribe, or send another burst round.
import { type SchedulerLike, Subscriber, type Subscription } from 'rxjs'
import { type FlowKeyOptions, FlowKeyReader, KEY_WORDS } from '../../headers/index.js'
import { Burst, type BurstCore, coreOf, packetAt } from '../../packet/burst.js'
import type { Packet } from '../../packet/packet.js'
import { LruTable, NONE } from '../shared/lru-table.js'
import { type PartGiver, Parts } from '../shared/parts.js'
import { Group } from './group.js'

type Item = Burst | Packet

export class GroupSubscriber extends Subscriber<Item> implements PartGiver<Group> {
  readonly #key: FlowKeyReader
  readonly #table: LruTable
  /** By entry of the table. */
  readonly #groups: (Group | null)[] = []
  readonly #out: Subscriber<Group>
  readonly #idle: number
  readonly #scheduler: SchedulerLike
  /** Subscriptions of the result, one at most, and of groups. */
  #users = 1
  #timer: Subscription | null = null
  #parts: Parts<Group> | null = null
  /** Groups that lost their place to the burst in hand. */
  #evicted: Group[] = []

  constructor(
    out: Subscriber<Group>,
    options: FlowKeyOptions,
    maxFlows: number,
    idle: number,
    scheduler: SchedulerLike,
  ) {
    super()
    this.#out = out
    this.#key = new FlowKeyReader(options)
    this.#table = new LruTable(maxFlows, KEY_WORDS)
    this.#idle = idle
    this.#scheduler = scheduler
    this.add(() => this.#timer?.unsubscribe())
  }

  /** Someone subscribed to a group. */
  joined(): void {
    this.#users++
  }

  /** A subscription, of the result or of a group, has ended. */
  left(): void {
    if (--this.#users === 0) this.unsubscribe()
  }

  give(group: Group, burst: Burst): void {
    this.#announce(group)
    group.next(burst)
    if (group.evicted) group.complete()
  }

  protected override _next(item: Item): void {
    this.#table.tick(this.#scheduler.now())
    if (item instanceof Burst) this.#burst(item)
    else this.#packet(item)
    this.#watch()
  }

  #burst(burst: Burst): void {
    const input = coreOf(burst)
    const parts = this.#parts ?? new Parts<Group>()
    this.#parts = null
    this.#split(input, parts)
    const evicted = this.#evicted
    if (evicted.length > 0) {
      this.#evicted = []
      // Those with packets in this burst complete behind these.
      for (const group of evicted) if (group.part < 0) group.complete()
    }
    parts.give(this, burst)
    this.#parts = parts
  }

  #split(input: BurstCore, parts: Parts<Group>): void {
    for (let i = 0; i < input.length; i++) parts.add(this.#groupOf(packetAt(input, i)), input, i)
  }

  #packet(packet: Packet): void {
    const group = this.#groupOf(packet)
    const [evicted] = this.#evicted
    if (evicted !== undefined) {
      this.#evicted = []
      evicted.complete()
    }
    if (this.closed) return
    this.#announce(group)
    group.next(packet)
  }

  #announce(group: Group): void {
    if (group.announced) return
    group.announced = true
    if (!this.#out.closed) this.#out.next(group)
  }

  // The group of a packet, made if it has none.
  #groupOf(packet: Packet): Group {
    const key = this.#key.of(packet)
    const table = this.#table
    const known = table.find(key.words, key.hash)
    if (known !== NONE) {
      table.touch(known)
      return this.#groups[known] as Group
    }
    if (table.size === table.capacity) this.#evicted.push(this.#remove(table.oldest()))
    const group = new Group(this, key.toKey())
    this.#groups[table.add(key.words, key.hash)] = group
    return group
  }

  #remove(entry: number): Group {
    const group = this.#groups[entry] as Group
    this.#groups[entry] = null
    this.#table.remove(entry)
    group.evicted = true
    return group
  }

  // A timer for the group that will be idle first, and none while there is no group.
  #watch(): void {
    const oldest = this.#table.oldest()
    if (this.#timer !== null || this.closed || oldest === NONE || this.#idle === Infinity) return
    const due = this.#table.seen[oldest] + this.#idle - this.#table.now
    this.#timer = this.#scheduler.schedule(() => this.#completeIdle(), Math.max(0, due))
  }

  #completeIdle(): void {
    this.#timer = null
    this.#table.tick(this.#scheduler.now())
    const idle: Group[] = []
    for (let entry = this.#table.expired(this.#idle); entry !== NONE; entry = this.#table.expired(this.#idle))
      idle.push(this.#remove(entry))
    for (const group of idle) group.complete()
    this.#watch()
  }

  protected override _error(error: unknown): void {
    const groups = this.#end()
    for (const group of groups) group.error(error)
    this.#out.error(error)
  }

  protected override _complete(): void {
    const groups = this.#end()
    for (const group of groups) group.complete()
    this.#out.complete()
  }

  #end(): Group[] {
    const groups = this.#groups.filter(group => group !== null && group !== undefined)
    this.#groups.length = 0
    this.unsubscribe()
    return groups
  }
}
