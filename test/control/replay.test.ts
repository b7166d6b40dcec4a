// What real programs said when their devices came and went, replayed: each request must be answered as it was, and the
// device must come up and go as often as the program made it.
import test from 'ava'
import type { SessionEvent } from '../../src/control/events.js'
import { connections, read, recordings, replay } from './recorded.js'

interface Expectation {
  /** Of each connection: how often it came up. */
  ready: number[]
  /** Rings that run in the end of coming up. */
  rings: number
}

const expectations: Record<string, Expectation> = {
  // Boot, unbind and bind, reboot.
  'qemu-7.2.jsonl': { ready: [3], rings: 2 },
  'qemu-10.0.jsonl': { ready: [3], rings: 2 },
  'qemu-7.2-4-pairs.jsonl': { ready: [1], rings: 8 },
  'qemu-10.0-4-pairs.jsonl': { ready: [1], rings: 8 },
  // Start, stop, start; then, where it listens, a back end that was restarted.
  'virtio-user-22.11.jsonl': { ready: [2], rings: 2 },
  'virtio-user-22.11-listens.jsonl': { ready: [2, 1], rings: 2 },
}

test('there is a recording of each program, and each is expected to do something', t => {
  t.deepEqual(recordings.filter(name => name in expectations).sort(), Object.keys(expectations).sort())
})

for (const [name, { ready, rings }] of Object.entries(expectations))
  test(`${name}: every request is answered as it was, and the device comes up and goes`, t => {
    const all = connections(read(name))
    t.is(all.length, ready.length)
    for (const [i, lines] of all.entries()) {
      const { events, frontEnd } = replay(lines)
      const count = (type: string) => events.filter(event => event.type === type).length
      t.is(count('refused'), 0)
      t.is(count('fault'), 0)
      t.is(count('ready'), ready[i])
      t.is(frontEnd.closedWith, undefined)
      t.is(frontEnd.given.length, frontEnd.disposed.length, 'each fd went somewhere')
      const most = Math.max(...running(events))
      t.is(most, rings)
    }
  })

/** How many rings ran after each event. */
function running(events: SessionEvent[]): number[] {
  let now = 0
  return events.map(({ type }) => {
    if (type === 'ring-started') now++
    if (type === 'ring-stopped') now--
    return now
  })
}
