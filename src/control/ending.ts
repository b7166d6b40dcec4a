// The end of a session, whoever wants it, and of fds that nobody wants. Called by session.ts; nothing is asked any more.
import { type Ask, type FdToken, fdsOf } from './asks.js'
import type { Draft } from './draft.js'

export function closeFds(draft: Draft, fds: FdToken[]): void {
  if (fds.length > 0) draft.effects.push({ kind: 'close-fds', fds })
}

/** Those that no ask hands over. */
export function closeUnwanted(draft: Draft, fds: FdToken[], asks: Ask[]): void {
  const wanted = asks.flatMap(fdsOf)
  closeFds(
    draft,
    fds.filter(fd => !wanted.includes(fd)),
  )
}

/** The end does not wait for what was asked: that may last for as long as the front end likes. */
export function abandon(draft: Draft, code: string): void {
  const { pending, backlog } = draft.state
  const unread = backlog.flatMap(input => (input.kind === 'message' ? input.message.fds : []))
  closeFds(draft, [...(pending?.asks.slice(1).flatMap(fdsOf) ?? []), ...unread])
  draft.state.pending = null
  draft.state.backlog = []
  close(draft, code)
}

/** Destroying the device stops its rings; nothing needs to be asked any more. */
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
