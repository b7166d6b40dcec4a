// The list of slot ids behind a burst's handle (burst.ts), and what operators do with it: make another of it, mark where
// they stopped. Cores are pooled; whoever holds a handle never sees one. It knows packets and no queue.
//
// Where a burst stops half-way (a predicate that throws, an unsubscription from inside one) the operator marks it in
// the core that the queue gave out, its *origin*; the queue keeps what nobody was given.
import { type BurstCore, borrowPacket, type Packet } from './packet.js'

export { BurstCore, PRIVATE } from './packet.js'

/**
 * Packets of one burst, unless asked otherwise: few enough to stay in the cache, enough to pay for a native call and for
 * the handles. A handle is 32 bytes, and a filter needs a second: at 32 packets that alone would be 2 bytes a packet.
 */
export const BURST_PACKETS = 64

/** An operator's own core for what it makes of `input`; reuses `spare` if that is large enough. @internal */
export function coreFrom(input: BurstCore, spare: BurstCore | null): BurstCore {
  const { slots, length } = input
  const fits = spare !== null && spare.slots === slots && spare.ids.length >= length
  const core = fits ? spare : slots.cores.take(length)
  core.origin = input.origin ?? input
  core.input = input
  core.length = 0
  return core
}

/** The borrowed packet at `index`, unchecked. @internal */
export function packetAt(core: BurstCore, index: number): Packet {
  const slot = core.ids[index]
  return core.slots.packets[slot] ?? lend(core, slot)
}

// As in borrowPacket: the first of the slot, or in strict mode one that ends with the borrow.
function lend(core: BurstCore, slot: number): Packet {
  const packet = borrowPacket(core.slots, slot)
  if (core.slots.strict) core.given.push(packet)
  return packet
}

/** Where packet `index` of `core` is in the burst that the queue gave out. @internal */
export function originIndex(core: BurstCore, index: number): number {
  let at = index
  for (let of = core; of.input !== null; of = of.input) at = of.input.ids.indexOf((of.copied ?? of.ids)[at])
  return at
}

/** An operator threw at packet `index`: it is lost, and what follows was not given to anyone. @internal */
export function failAt(core: BurstCore, index: number): void {
  const origin = core.origin ?? core
  origin.failed++
  origin.cut = Math.max(origin.cut, originIndex(core, index) + 1)
}

/** The subscription ended before packet `index` was given to anyone. @internal */
export function cutBefore(core: BurstCore, index: number): void {
  const origin = core.origin ?? core
  if (origin.cut < 0) origin.cut = index >= core.length ? origin.length : originIndex(core, index)
}

/** The subscription ended before the packet at `index` was given to anyone, though packets behind it were. */
export function skip(core: BurstCore, index: number): void {
  const origin = core.origin ?? core
  origin.skipped.push(origin.ids[originIndex(core, index)])
}

/**
 * The subscription ended inside `core`, the last part that was made of the first `at` packets of `input`: those in front of
 * `at` that belong to another part were given, wherever it was cut.
 */
export function skipRest(core: BurstCore, input: BurstCore, at: number): void {
  const origin = input.origin ?? input
  const { cut } = origin
  if (cut < 0) return
  for (let i = 0; i < core.length; i++) if (originIndex(core, i) >= cut) skip(core, i)
  origin.cut = -1
  cutBefore(input, at)
}

/** Packets that an operator on single packets threw at; the queue compares it before and after. @internal */
export const packetFaults = { count: 0 }
