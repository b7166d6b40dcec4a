import { defer, type MonoTypeOperatorFunction } from 'rxjs'
import { FlowKeyReader } from '../headers/flow-key.js'
import type { Burst } from '../packet/burst.js'
import type { Packet } from '../packet/packet.js'
import { filterPackets } from './filter-packets.js'
import { anySeed, Random, thresholdOf } from './shaping/random.js'

/** Which packets `sample` emits. */
export interface SampleOptions {
  /** 1 packet, or flow, in so many is emitted. */
  every: number
  /**
   * `count` (default): the first packet, and then each `every`th. `random`: each packet with a probability of 1 / `every`.
   * `flow`: all packets of 1 flow in `every`, in both directions.
   */
  by?: 'count' | 'random' | 'flow'
  /** For `random` and `flow`: the same seed takes the same sample. Default: a random one for each call. */
  seed?: number
}

/**
 * Emits 1 packet in `every`, or all packets of 1 flow in `every`. The operator of rxjs with this name samples by time.
 *
 * ```
 * source:   --(1 2 3 4)-----(5 6)-----(7)--|
 *           sample(3)
 * result:   --(1 4)-------------------(7)--|
 * ```
 *
 * A sample by count can follow a pattern in the source, a random one does not. A flow is that of `FlowKeyReader`:
 * addresses, protocol, ports and VLAN; Ethernet addresses for packets that are not IP. A seed makes runs repeatable; a guest
 * that knows it can keep a flow out of the sample.
 *
 * **Leases.** Takes none. The other packets are released with their burst, and not counted as dropped.
 *
 * @param options A number is `every`. Throws a `RangeError` for less than 1, and by count for a number that is no integer.
 * @example
 * const some = sample({ every: 1000, by: 'flow' })
 * guest.fromGuest().pipe(some, capture('flows.pcapng')).subscribe()
 */
export function sample<T extends Burst | Packet = Burst>(
  options: number | SampleOptions,
): MonoTypeOperatorFunction<T> {
  const { every, by = 'count', seed = anySeed() } = typeof options === 'number' ? { every: options } : options
  if (!(every >= 1 && (by !== 'count' || Number.isInteger(every))))
    throw new RangeError(`1 packet in ${every} can not be taken`)
  const pickers = {
    count: () => byCount(every),
    random: () => byChance(every, seed),
    flow: () => byFlow(every, seed),
  }
  // State is per subscription.
  return source => defer(() => source.pipe(filterPackets<T>(pickers[by]())))
}

type Picker = (packet: Packet) => boolean

function byCount(every: number): Picker {
  let left = 1
  return () => {
    if (--left > 0) return false
    left = every
    return true
  }
}

function byChance(every: number, seed: number): Picker {
  const random = new Random(seed)
  const threshold = thresholdOf('1 / every', 1 / every)
  return () => random.chance(threshold)
}

function byFlow(every: number, seed: number): Picker {
  const random = new Random(seed)
  const key = new FlowKeyReader({ seed: [random.next(), random.next()] })
  const threshold = thresholdOf('1 / every', 1 / every)
  return packet => key.of(packet).hash >>> 0 < threshold
}
