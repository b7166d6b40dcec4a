// A request that must be refused, asked twice: politely, with NEED_REPLY, and without. Either way the state is as it
// was and no fd is left over.
import test from 'ava'
import type { State } from '../../src/control/types.js'
import { FrontEnd } from './front-end.js'

export const ack = { needReply: true }
export const byNumber = (a: number, b: number): number => a - b

/** What a request must leave alone when it is refused. */
const lasting = ({ pending: _, backlog: __, closed: ___, notSharedTold: ____, ...rest }: State) => rest

export type Act = (frontEnd: FrontEnd, options: { needReply?: boolean }) => void

export function refused(name: string, prepare: () => FrontEnd, act: Act, reason: string): void {
  test(name, t => {
    const polite = prepare()
    const before = lasting(polite.state)
    act(polite, ack)
    t.is(polite.answer, 1n, 'NEED_REPLY is answered with a failure')
    t.is(polite.closedWith, undefined, 'and the connection stays')
    t.like(polite.events.at(-1), { type: 'refused', reason })
    t.deepEqual(lasting(polite.state), before, 'the state is as before')

    const strict = prepare()
    act(strict, {})
    t.deepEqual(strict.replies, [])
    t.is(strict.closedWith, reason, 'without NEED_REPLY it would believe that its request took effect')
    for (const f of [polite, strict]) t.deepEqual(f.disposed.toSorted(byNumber), f.given)
  })
}

export const fresh = (): FrontEnd => new FrontEnd()
export const running = (): FrontEnd => FrontEnd.running()
export function negotiated(): FrontEnd {
  const frontEnd = new FrontEnd()
  frontEnd.negotiate()
  return frontEnd
}
