// Applies the result of a successful ask. No other file changes the memory or the running state of a ring.
import type { Draft } from './draft.js'
import type { MemoryRegion } from './events.js'
import { findRegion } from './memory.js'
import type { Ask } from './types.js'

/** Faults of the memory, not of a ring. A new table clears them. */
const ofMemory: ReadonlySet<string> = new Set(['vq_addr', 'mem_missing', 'memory_revoked'])

export function applyResult(draft: Draft, asked: Ask, value: number, lost: readonly number[]): void {
  if (asked.kind === 'start-ring') {
    draft.ring(asked.ring).running = true
    draft.tell({ type: 'ring-started', ring: asked.ring })
    // `value` is the index at which native code began: the index of the used ring, not the base of the front end.
    if (value > 0) draft.resumed(asked.ring)
  } else if (asked.kind === 'stop-ring') {
    // -1: native code had stopped the ring before, and the known base stays.
    const ring = draft.ring(asked.ring)
    if (value >= 0) ring.base = value
    ring.running = false
    draft.tell({ type: 'ring-stopped', ring: asked.ring, reason: asked.reason })
  } else if (asked.kind === 'map') {
    applyMemory(draft, regionsOf(asked.regions), lost, value)
  } else if (asked.kind === 'add-region') {
    applyMemory(draft, [...draft.state.regions, ...regionsOf(asked.region)], lost, value)
  } else if (asked.kind === 'remove-region') {
    const { regions } = draft.state
    applyMemory(draft, regions.toSpliced(findRegion(regions, regionsOf(asked.region)[0]), 1), lost)
  } else if (asked.kind === 'set-log') {
    draft.state.log = asked.size
    // A truncated log looks like truncated memory. If it was the memory, native code will report it again.
    mend(draft)
  }
}

/** An array of exactly this length: one that grew would keep spare room for the life of the device. */
const regionsOf = (words: readonly bigint[]): MemoryRegion[] =>
  Array.from({ length: words.length / 4 }, (_, i) => {
    const [guest, size, user, offset] = words.slice(4 * i, 4 * i + 4)
    return { guest, size, user, offset }
  })

function mend(draft: Draft): void {
  const { state } = draft
  state.revoked = false
  for (const [i, ring] of state.rings.entries()) if (ofMemory.has(ring.latched)) draft.ring(i).latched = ''
}

function applyMemory(draft: Draft, regions: MemoryRegion[], lost: readonly number[], onDisk = 0): void {
  const { state } = draft
  state.regions = regions
  mend(draft)
  draft.effects.push({ kind: 'deadline', ms: 0 })
  draft.tell({ type: 'memory', regions })
  if (onDisk > 0) draft.onDisk()
  // The session has already stopped the rings outside the new table. Native code has found more of them.
  for (const i of lost) {
    if (!state.rings[i]?.running) continue
    draft.ring(i).running = false
    draft.tell({ type: 'ring-stopped', ring: i, reason: 'memory' })
    draft.latch(i, 'vq_addr')
  }
}
