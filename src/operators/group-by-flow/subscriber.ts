// The subscription of groupByFlow: a table of flows, with a group for each. It splits a burst first, which calls no user
// code; then it emits the new groups, gives each its part, and completes the groups that were evicted. Each of these calls
// may unsubscribe, or make the source emit another burst.
import type { SchedulerLike, Subscriber, Subscription } from 'rxjs'
import { type FlowKeyOptions, FlowKeyReader, KEY_WORDS } from '../../headers/index.js'
import { type Burst, type BurstCore, packetAt } from '../../packet/burst.js'
import type { Packet } from '../../packet/packet.js'
import { LruTable, NONE } from '../shared/lru-table.js'
import { PacketSubscriber } from '../shared/operator.js'
import { type PartGiver, Parts } from '../shared/parts.js'
import { Group, type GroupOwner } from './group.js'

export class GroupSubscriber extends PacketSubscriber implements PartGiver<Group>, GroupOwner {
  readonly #key: FlowKeyReader
  readonly #table: LruTable
  /** By entry of the table. */
  readonly #groups: (Group | null)[] = []
  readonly #out: Subscriber<Group>
  readonly #idle: number
  readonly #scheduler: SchedulerLike
  /** Subscriptions of the result (one at most) and of groups. */
  #users = 1
  #timer: Subscription | null = null
  #parts: Parts<Group> | null = null
  /** Groups that the burst in hand pushed out of the table. */
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

  joined(): void {
    this.#users++
  }

  left(): void {
    if (--this.#users === 0) this.unsubscribe()
  }

  give(group: Group, burst: Burst): void {
    this.#announce(group)
    group.next(burst)
    if (group.evicted) group.complete()
  }

  protected onBurst(burst: Burst, input: BurstCore): void {
    this.#table.tick(this.#scheduler.now())
    const parts = this.#parts ?? new Parts<Group>()
    this.#parts = null
    this.#split(input, parts)
    const evicted = this.#evicted
    if (evicted.length > 0) {
      this.#evicted = []
      // A group that has packets in this burst completes after it got them.
      for (const group of evicted) if (group.part < 0) group.complete()
    }
    parts.give(this, burst)
    this.#parts = parts
    this.#watch()
  }

  #split(input: BurstCore, parts: Parts<Group>): void {
    for (let i = 0; i < input.length; i++) parts.add(this.#groupOf(packetAt(input, i)), input, i)
  }

  protected onPacket(packet: Packet): void {
    this.#table.tick(this.#scheduler.now())
    const group = this.#groupOf(packet)
    const [evicted] = this.#evicted
    if (evicted !== undefined) {
      this.#evicted = []
      evicted.complete()
    }
    if (this.closed) return
    this.#announce(group)
    group.next(packet)
    this.#watch()
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

  // Sets a timer for the group that will be idle first, if there is a group.
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

  protected onError(error: unknown): void {
    const groups = this.#end()
    for (const group of groups) group.error(error)
    this.#out.error(error)
  }

  protected onComplete(): void {
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
