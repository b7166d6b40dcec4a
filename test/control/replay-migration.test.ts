// What QEMU said when a guest migrated and when memory was plugged in, replayed.
import test from 'ava'
import type { SessionEvent } from '../../src/control/events.js'
import { connections, read, replay } from './recorded.js'

/** Of a recording's one connection, in which nothing was left over. */
function eventsOf(name: string): SessionEvent[] {
  const [lines, ...others] = connections(read(`${name}.jsonl`))
  const { events, frontEnd } = replay(lines)
  if (others.length > 0 || frontEnd.closedWith !== undefined) throw new Error('one connection was expected')
  if (frontEnd.given.length !== frontEnd.disposed.length) throw new Error('an fd went nowhere')
  return events
}

const typesOf = (events: SessionEvent[], ...types: string[]): string[] =>
  events.map(({ type }) => type).filter(type => types.includes(type))

for (const version of ['7.2', '10.0']) {
  test(`QEMU ${version}, the source of a migration: begun while the rings run, over when they stop`, t => {
    const events = eventsOf(`qemu-${version}-migration-source`)
    t.deepEqual(typesOf(events, 'ready', 'migration', 'stopped', 'fault', 'refused'), [
      'ready',
      'migration',
      'migration',
      'stopped',
    ])
    t.deepEqual(
      events.filter(event => event.type === 'migration').map(({ active }) => active),
      [true, false],
    )
    const rings = typesOf(events, 'ring-started', 'ring-stopped', 'migration')
    t.deepEqual(rings.slice(0, 4), ['ring-started', 'ring-started', 'migration', 'ring-stopped'])
    t.deepEqual(typesOf(events, 'ring-started', 'ring-stopped').slice(2), ['ring-stopped', 'ring-stopped'])
  })

  test(`QEMU ${version}, the destination: it comes up where the source stopped, and asks for an announcement`, t => {
    const events = eventsOf(`qemu-${version}-migration-destination`)
    t.deepEqual(typesOf(events, 'ready', 'migration', 'fault', 'refused'), ['ready'])
    t.true(events.some(event => event.type === 'rarp' && event.mac === '52:54:00:00:00:01'))
  })

  test(`QEMU ${version}: memory is plugged in by slots, and no ring stops for it`, t => {
    const events = eventsOf(`qemu-${version}-hot-plug`)
    t.deepEqual(typesOf(events, 'ready', 'ring-stopped', 'fault', 'refused'), ['ready'])
    const tables = events.flatMap(event => (event.type === 'memory' ? [event.regions.length] : []))
    t.deepEqual(
      tables.slice(-3).map((count, n, last) => count - last[0] - n),
      [0, 0, 0],
      `${tables}`,
    )
  })
}
