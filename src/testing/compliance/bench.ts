// The bench of each check: one operator between a guest that sends and a subscriber that records the results, on rings in
// memory with strict leases.
import assert from 'node:assert/strict'
import type { Observable, OperatorFunction } from 'rxjs'
import { type Burst, HeldBurst } from '../../packet/burst.js'
import { HeldPacket, type Packet } from '../../packet/packet.js'
import { fakeFromGuest, fakePlane, fakeToGuest } from '../fake-queues.js'
import { frames, numberOf } from '../frames.js'

export type Item = Burst | Packet

/** The tools that a check passes to the operator that it tests. */
export interface ComplianceKit {
  /** For an operator that takes a function: call it with each packet. It may throw or unsubscribe. */
  each: (packet: Packet) => void
  /** For an operator that takes a sink. Its guest has room for all packets. */
  sink: ReturnType<typeof fakeToGuest>['sink']
}

/** An operator, and its properties that the checks need. */
export interface ComplianceRow {
  /** The operator's name in the names of tests. */
  name: string
  /** The operator, set up so that every packet passes it. */
  make(kit: ComplianceKit): OperatorFunction<Item, unknown>
  /** True if it calls `kit.each`. */
  calls?: boolean
  /** True if it groups packets into bursts of its own size. */
  regroups?: boolean
  /** True if it emits copies, or bursts of copies, which belong to the subscriber and never end. */
  copies?: boolean
  /** Where its packets go: to its subscriber (default), or to `kit.sink`. */
  into?: 'result' | 'sink'
}

/** A rule for every operator. */
export interface ComplianceCheck {
  /** The rule, as the name of a test. */
  name: string
  /** Throws if the operator breaks the rule. */
  run(row: ComplianceRow): void
}

type Form = 'bursts' | 'packets'

// One operator between a guest that sends and a subscriber that records the numbers of the packets.
export class Bench {
  readonly plane = fakePlane()
  readonly from = fakeFromGuest(this.plane, { burst: 8 })
  readonly to = fakeToGuest(this.plane, { room: 256 })
  each: (packet: Packet) => void = () => {}
  readonly #results: number[] = []
  readonly operator: OperatorFunction<Item, unknown>

  constructor(
    readonly row: ComplianceRow,
    readonly form: Form,
  ) {
    this.operator = row.make({ each: packet => this.each(packet), sink: this.to.sink })
  }

  get source(): Observable<Item> {
    return this.form === 'bursts' ? this.from.queue : this.from.queue.packets
  }

  get out(): Observable<unknown> {
    return this.source.pipe(this.operator)
  }

  /** Records a result, and releases it if it is a lease. */
  readonly note = (value: unknown): void => {
    if (Symbol.iterator in (value as object))
      for (const packet of value as Iterable<Packet>) this.#results.push(numberOf(packet))
    else this.#results.push(numberOf(value as Packet))
    if (value instanceof HeldBurst || value instanceof HeldPacket) value.release()
  }

  get seen(): number[] {
    return this.row.into === 'sink' ? this.to.port.received.map(numberOf) : this.#results
  }

  send(count: number, first = 0): void {
    assert.equal(this.from.port.send(...frames(count, first)), count)
  }

  settled(): void {
    this.plane.loop.drain()
    assert.equal(this.plane.pool.leases, 0, 'leases are left')
  }
}

export const upTo = (count: number, first = 0): number[] => Array.from({ length: count }, (_, i) => first + i)

export function check(
  name: string,
  run: (bench: Bench) => void,
  applies: (row: ComplianceRow) => boolean = () => true,
) {
  return {
    name,
    run(row: ComplianceRow): void {
      if (applies(row)) for (const form of ['bursts', 'packets'] as const) run(new Bench(row, form))
    },
  }
}
