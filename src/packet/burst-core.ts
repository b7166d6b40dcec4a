// What operators do with the cores of bursts: make one core from another, get packets out of it, and mark where they stopped.
//
// If a burst ends half-way, because a predicate throws or unsubscribes, the operator marks the place in the burst's *origin*:
// the core that the queue delivered. The queue keeps the packets that were not delivered.
import { type BurstCore, borrowPacket, type Packet } from './packet.js'

export { BurstCore, PRIVATE } from './packet.js'

/**
 * Default for the most packets in one burst: few enough to stay in the cache, and enough to spread the cost of the native call
 * and of the handles. A handle has 32 bytes, and a filter makes a second: with 32 packets that would be 2 bytes per packet.
 */
export const BURST_PACKETS = 64

/** An empty core for packets that an operator makes from `input`. Reuses `spare` if that is large enough. @internal */
export function coreFrom(input: BurstCore, spare: BurstCore | null): BurstCore {
  const { slots, length } = input
  const fits = spare !== null && spare.slots === slots && spare.ids.length >= length
  const core = fits ? spare : slots.cores.take(length)
  core.origin = input.origin ?? input
  core.input = input
  core.length = 0
  return core
}

/** The borrowed packet at `index`, which is not checked. @internal */
export function packetAt(core: BurstCore, index: number): Packet {
  const slot = core.ids[index]
  return core.slots.packets[slot] ?? lend(core, slot)
}

// Makes the packet object of a slot; in strict mode it ends with the borrow.
function lend(core: BurstCore, slot: number): Packet {
  const packet = borrowPacket(core.slots, slot)
  if (core.slots.strict) core.given.push(packet)
  return packet
}

/** The index in the origin of packet `index` of `core`. @internal */
export function originIndex(core: BurstCore, index: number): number {
  let at = index
  for (let of = core; of.input !== null; of = of.input) at = of.input.ids.indexOf((of.copied ?? of.ids)[at])
  return at
}

/** A user's function threw for packet `index`: that packet is lost, and those after it were not delivered. @internal */
export function failAt(core: BurstCore, index: number): void {
  const origin = core.origin ?? core
  origin.failed++
  origin.cut = Math.max(origin.cut, originIndex(core, index) + 1)
}

/** The subscription ended before packet `index` was delivered. @internal */
export function cutBefore(core: BurstCore, index: number): void {
  const origin = core.origin ?? core
  if (origin.cut < 0) origin.cut = index >= core.length ? origin.length : originIndex(core, index)
}

/** The subscription ended before packet `index` was delivered, though packets after it were. */
export function skip(core: BurstCore, index: number): void {
  const origin = core.origin ?? core
  origin.skipped.push(origin.ids[originIndex(core, index)])
}

/**
 * The subscription ended inside `core`, the last of several parts that were made from the first `at` packets of `input`. The
 * packets of the other parts were delivered, so only those of `core` from the cut on count as not delivered.
 */
export function skipRest(core: BurstCore, input: BurstCore, at: number): void {
  const origin = input.origin ?? input
  const { cut } = origin
  if (cut < 0) return
  for (let i = 0; i < core.length; i++) if (originIndex(core, i) >= cut) skip(core, i)
  origin.cut = -1
  cutBefore(input, at)
}

/**
 * Packets for which a user's function in an operator on single packets threw. Queues compare the count before and after.
 * @internal
 */
export const packetFaults = { count: 0 }
