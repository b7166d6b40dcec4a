// The measured pipelines, and their limits of JavaScript heap per packet in bursts. The packets of a burst may share
// objects; this file gives a reason for each further allocation.

import { processPackets } from '../../src/operators/index.js'
import type { Burst } from '../../src/packet/burst.js'
import type { Packet } from '../../src/packet/packet.js'
import type { ComplianceRow } from '../../src/testing/index.js'
import { allRows } from '../../test/operators/rows.js'

const settled = Promise.resolve(true)

/** The rows of the compliance suite, and an asynchronous row that can't be in the suite. */
export const benchRows: readonly ComplianceRow[] = [
  ...allRows,
  // The promise is already resolved, so that only allocations of the operator, or of V8 for the operator, are measured.
  { name: 'processPackets, promises', make: () => processPackets<Burst | Packet>(() => settled) },
]

export interface Bound {
  /** Maximum bytes per packet. */
  most: number
  why: string
}

/** Limit for objects per burst, which 64 packets share. One object per packet would be at least 16 bytes. */
const NOTHING: Bound = { most: 8, why: 'allocates nothing per packet' }

const others: Record<string, Bound> = {
  // Each burst needs a separate handle, because late use of a burst must throw.
  'rebatch(1)': { most: 40, why: 'a handle of 32 bytes per burst, and here a burst has one packet' },
  // Work that lost a race may still read its packet, so the packet object can't be reused.
  'processPackets, promises': { most: 192, why: "96 bytes for V8's then(), and 80 for a packet object" },
  'processPackets, Observables': { most: 600, why: "of() in the work, and rxjs' objects per subscription" },
  'processPackets, the function of a verdict': { most: 600, why: 'an Observable per packet' },
  'processPackets, rewriting': { most: 64, why: 'a Buffer or a function that the work creates' },
}

export const boundOf = (name: string): Bound => others[name] ?? NOTHING

/** Returns names in `others` for which there is no row. */
export const staleBounds = (): string[] =>
  Object.keys(others).filter(name => !benchRows.some(row => row.name === name))
