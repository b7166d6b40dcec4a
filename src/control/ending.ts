// Ends a session, for any reason, and closes fds that have no owner. session.ts calls it; no ask follows it.
import { type Ask, type FdToken, fdsOf } from './asks.js'
import type { Draft } from './draft.js'

export function closeFds(draft: Draft, fds: FdToken[]): void {
  if (fds.length > 0) draft.effects.push({ kind: 'close-fds', fds })
}

/** The fds that no ask hands over. */
export function closeUnwanted(draft: Draft, fds: FdToken[], asks: Ask[]): void {
  const wanted = asks.flatMap(fdsOf)
  closeFds(
    draft,
    fds.filter(fd => !wanted.includes(fd)),
  )
}

/** The end does not wait for a pending ask, since the front end can delay the result without limit. */
export function abandon(draft: Draft, code: string): void {
  const { pending, backlog } = draft.state
  const unread = backlog.flatMap(input => (input.kind === 'message' ? input.message.fds : []))
  closeFds(draft, [...(pending?.asks.slice(1).flatMap(fdsOf) ?? []), ...unread])
  draft.state.pending = null
  draft.state.backlog = []
  close(draft, code)
}

/** Destroying the device stops its rings, so no ask is needed. */
export function close(draft: Draft, code: string): void {
  const { state } = draft
  state.rings.forEach((ring, i) => {
    if (!ring.running) return
    draft.ring(i).running = false
    draft.tell({ type: 'ring-stopped', ring: i, reason: 'closed' })
  })
  draft.stopped()
  state.closed = true
  draft.effects.push({ kind: 'close', code })
}
