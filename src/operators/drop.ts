import type { OperatorFunction, Subscriber } from 'rxjs'
import type { Burst, BurstCore } from '../packet/burst.js'
import { type Packet, slotOf, slotsOf } from '../packet/packet.js'
import { OperatorSubscriber, operator } from './shared/operator.js'

/**
 * Drops every packet, counts it under `reason`, and emits nothing. The end of a branch that is not wanted.
 *
 * ```
 * source:   --(1 2 3)--------(4)--|
 *           drop('not-ip')
 * result:   ----------------------|
 * ```
 *
 * **Leases.** Takes none: the packets are released with their burst. Each is counted in `stats.drops` of the queue that it
 * came from.
 *
 * @param reason Shows in `stats.drops`. Default `dropped`.
 * @example
 * const [ip, others] = partitionPackets(guest.fromGuest(), p => p.uint16(12) === 0x0800)
 * merge(ip.pipe(enqueue(other.toGuest())), others.pipe(drop('not-ip'))).subscribe()
 */
export function drop(reason = 'dropped'): OperatorFunction<Burst | Packet, never> {
  return operator(out => new DropSubscriber(out, reason))
}

class DropSubscriber extends OperatorSubscriber<never> {
  constructor(
    out: Subscriber<never>,
    readonly reason: string,
  ) {
    super(out)
  }

  // Runs of packets of one queue, usually the whole burst, are counted at once.
  protected onBurst(_: Burst, { slots, ids, length }: BurstCore): void {
    let begin = 0
    for (let i = 1; i <= length; i++) {
      if (i < length && slots.home(ids[i]) === slots.home(ids[begin])) continue
      slots.dropped(ids[begin], this.reason, i - begin)
      begin = i
    }
  }

  protected onPacket(packet: Packet): void {
    slotsOf(packet).dropped(slotOf(packet), this.reason)
  }
}
