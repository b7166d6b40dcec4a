// Which pipelines are measured, and how much of JavaScript's heap each may take in bursts: what is shared by the packets of a
// burst, and what this file gives a reason for.

import { processPackets } from '../../src/operators/index.js'
import type { Burst } from '../../src/packet/burst.js'
import type { Packet } from '../../src/packet/packet.js'
import type { ComplianceRow } from '../../src/testing/index.js'
import { allRows } from '../../test/operators/rows.js'

const settled = Promise.resolve(true)

/** Those of the compliance suite, and what can't be in it, since it is asynchronous. */
export const benchRows: readonly ComplianceRow[] = [
  ...allRows,
  // Of a promise that is there already: all that is allocated is ours, or V8's for us.
  { name: 'processPackets, promises', make: () => processPackets<Burst | Packet>(() => settled) },
]

export interface Bound {
  /** Bytes a packet. */
  most: number
  why: string
}

/** Whatever is made a burst is shared by its 64; an object for each packet would be 16 at the least. */
const NOTHING: Bound = { most: 8, why: 'nothing for a packet' }

const others: Record<string, Bound> = {
  // A late use of a burst always throws, so that each has a handle of its own.
  'rebatch(1)': { most: 40, why: 'for a burst, which is a packet here, its handle of 32' },
  // Work that lost a race may still read its packet, so that this is never another one's.
  'processPackets, promises': { most: 192, why: "what V8's then() makes, 96, and a packet of its own, 80" },
  'processPackets, Observables': { most: 600, why: "the work's of(), and what rxjs makes to subscribe" },
  'processPackets, the function of a verdict': { most: 600, why: 'an Observable for each, as above' },
  'processPackets, rewriting': { most: 64, why: 'what the work makes: a Buffer or a function' },
}

export const boundOf = (name: string): Bound => others[name] ?? NOTHING

/** A bound that is nobody's any more. */
export const staleBounds = (): string[] =>
  Object.keys(others).filter(name => !benchRows.some(row => row.name === name))
