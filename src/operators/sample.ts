import { defer, type MonoTypeOperatorFunction } from 'rxjs'
import { FlowKeyReader } from '../headers/flow-key.js'
import type { Burst } from '../packet/burst.js'
import type { Packet } from '../packet/packet.js'
import { filterPackets } from './filter-packets.js'
import { anySeed, Random, thresholdOf } from './shaping/random.js'

/** Which packets are let through. */
export interface SampleOptions {
  /** 1 of so many passes. */
  every: number
  /**
   * `count` (default): the first, and then each `every`th. `random`: each by chance. `flow`: all packets of one flow of so
   * many, in both directions.
   */
  by?: 'count' | 'random' | 'flow'
  /** Of `random` and `flow`: the same seed takes the same. Default: another one each time it is called. */
  seed?: number
}

/**
 * Lets through 1 packet in `every`, or all packets of 1 flow in `every`. rxjs's operator of this name is about time.
 *
 * ```
 * source:   --(1 2 3 4)-----(5 6)-----(7)--|
 *           sample(3)
 * result:   --(1 4)-------------------(7)--|
 * ```
 *
 * By count it takes the same packets of a source that repeats itself: by chance it does not. A flow is that of
 * `FlowKeyReader`: addresses, protocol, ports and VLAN; what is not IP goes by its Ethernet addresses. A seed is for runs
 * that can be repeated: who knows it can keep a flow out of the sample.
 *
 * **Leases.** Takes none. What it leaves out goes back with its burst, and is not counted as dropped.
 *
 * @param options A number is `every`. Throws a `RangeError` for less than 1, and by count for what is no integer.
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
