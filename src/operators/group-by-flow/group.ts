// One group of groupByFlow: an Observable of a flow's packets. Like a Subject, it multicasts to its subscribers.
import { Observable, type Subscriber } from 'rxjs'
import type { FlowKey } from '../../headers/index.js'
import { Burst, coreOf } from '../../packet/burst.js'
import { type Packet, slotOf, slotsOf } from '../../packet/packet.js'
import { dropCut, NO_PART, type PartTarget } from '../shared/parts.js'

type Item = Burst | Packet
type Target = Subscriber<Item>

/** The subscription that a group belongs to. */
export interface GroupOwner {
  readonly closed: boolean
  /** Someone subscribed to a group. */
  joined(): void
  /** A subscription, of the result or of a group, has ended. */
  left(): void
}

export class Group extends Observable<Item> implements PartTarget {
  part = NO_PART
  /** It was emitted to the subscriber of the result. */
  announced = false
  /** It is no longer in the table. */
  evicted = false
  #ended: { error?: unknown } | null = null
  // Replaced, never altered, since `next` may subscribe and unsubscribe while the list is read.
  #targets: readonly Target[] = []

  constructor(
    readonly owner: GroupOwner,
    readonly key: FlowKey,
  ) {
    super(target => this.#join(target))
  }

  next(item: Item): void {
    const targets = this.#targets
    if (targets.length === 0) {
      dropUnwanted(item)
      return
    }
    for (let i = 0; i < targets.length; i++) {
      targets[i].next(item)
      if (item instanceof Burst && !this.owner.closed) dropCut(item, targets.length === 1)
    }
  }

  complete(): void {
    const targets = this.#targets
    this.#ended ??= {}
    for (const target of targets) target.complete()
  }

  error(error: unknown): void {
    const targets = this.#targets
    this.#ended ??= { error }
    for (const target of targets) target.error(error)
  }

  #join(target: Target): (() => void) | undefined {
    if (this.#ended !== null || this.owner.closed) {
      if (this.#ended !== null && 'error' in this.#ended) target.error(this.#ended.error)
      else target.complete()
      return undefined
    }
    this.#targets = [...this.#targets, target]
    this.owner.joined()
    return () => {
      this.#targets = this.#targets.filter(other => other !== target)
      this.owner.left()
    }
  }
}

// For a group without a subscriber.
function dropUnwanted(item: Item): void {
  if (!(item instanceof Burst)) {
    slotsOf(item).dropped(slotOf(item), 'unsubscribed')
    return
  }
  const { slots, ids, length } = coreOf(item)
  for (let i = 0; i < length; i++) slots.dropped(ids[i], 'unsubscribed')
}
