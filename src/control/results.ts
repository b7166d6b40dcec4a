// What the success of an ask changes: the only place where memory and running rings change.
import type { Draft } from './draft.js'
import type { Ask } from './types.js'

/** Faults of the memory rather than of a ring: a new table mends them. */
const ofMemory: ReadonlySet<string> = new Set(['vq_addr', 'mem_missing', 'memory_revoked'])

export function applyResult(draft: Draft, asked: Ask, value: number, lost: readonly number[]): void {
  const { rings } = draft.state
  if (asked.kind === 'start-ring') {
    rings[asked.ring].running = true
    draft.tell({ type: 'ring-started', ring: asked.ring })
  } else if (asked.kind === 'stop-ring') {
    // -1: native code had stopped it before, and what we knew of its base holds.
    if (value >= 0) rings[asked.ring].base = value
    rings[asked.ring].running = false
    draft.tell({ type: 'ring-stopped', ring: asked.ring, reason: asked.reason })
  } else if (asked.kind === 'map') {
    applyMap(draft, asked.regions, lost)
  }
}

function applyMap(draft: Draft, words: readonly bigint[], lost: readonly number[]): void {
  const { state } = draft
  state.regions = []
  for (let i = 0; i < words.length; i += 4)
    state.regions.push({ guest: words[i], size: words[i + 1], user: words[i + 2], offset: words[i + 3] })
  state.revoked = false
  for (const ring of state.rings) if (ofMemory.has(ring.latched)) ring.latched = ''
  draft.effects.push({ kind: 'deadline', ms: 0 })
  draft.tell({ type: 'memory', regions: state.regions })
  // Rings that lie outside were stopped before the table went, so this is native code seeing more than we do.
  for (const i of lost) {
    const ring = state.rings[i]
    if (!ring?.running) continue
    ring.running = false
    draft.tell({ type: 'ring-stopped', ring: i, reason: 'memory' })
    draft.latch(i, 'vq_addr')
  }
}
