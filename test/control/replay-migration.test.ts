// What QEMU said when a guest migrated and when memory was plugged in, replayed: recordings of test/interop, made with
// RX_VHOST_RECORD=1. Each request is answered as it was, and the device does what it did then. Native code is played: every
// ask succeeds, and a ring stops where the recording has it stop.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { decodeU64, decodeVringState, FLAG_NEED_REPLY, VERSION } from '../../src/control/codec.js'
import type { SessionEvent } from '../../src/control/events.js'
import type { TracedMessage } from '../../src/control/trace.js'
import { FrontEnd } from './front-end.js'

const folder = join(import.meta.dirname, '../../../test/control/recordings')

const bytesOf = ({ payload }: TracedMessage): Uint8Array => Uint8Array.from(Buffer.from(payload, 'hex'))

/** The events of a recording's one connection; throws where an answer differs. */
function replay(name: string): SessionEvent[] {
  const lines = readFileSync(join(folder, `${name}.jsonl`), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line): TracedMessage => JSON.parse(line))
  let at = 0
  const baseOf = (ring: number): number => {
    const answer = lines
      .slice(at)
      .find(line => line.way === 'out' && line.request === 'GET_VRING_BASE' && line.data.ring === ring)
    return answer ? decodeVringState(bytesOf(answer)).value : 0
  }
  // What was offered then, as its answers tell.
  const word = (request: string): bigint => {
    const answer = lines.find(line => line.way === 'out' && line.request === request)
    if (!answer) throw new Error(`${name} has no answer to ${request}`)
    return decodeU64(bytesOf(answer))
  }
  const qemu = new FrontEnd(ask => (ask.kind === 'stop-ring' ? { value: baseOf(ask.ring) } : undefined), {
    features: word('GET_FEATURES'),
    protocolFeatures: word('GET_PROTOCOL_FEATURES'),
    queuePairs: Number(word('GET_QUEUE_NUM')),
  })
  const events: SessionEvent[] = []
  const answers: string[] = []
  for (; at < lines.length; at++) {
    const line = lines[at]
    if (line.way === 'out') {
      const answer = answers.shift()
      if (answer !== line.payload) throw new Error(`${line.request}: ${answer}, not ${line.payload}`)
      continue
    }
    const flags = VERSION | (line.needReply ? FLAG_NEED_REPLY : 0)
    qemu.send(line.id, bytesOf(line), { flags, fds: qemu.fds(line.fds) })
    events.push(...qemu.events)
    answers.push(...qemu.replies.map(({ payload }) => Buffer.from(payload).toString('hex')))
  }
  if (answers.length > 0 || qemu.closedWith !== undefined) throw new Error('an answer more, or the end')
  if (qemu.given.length !== qemu.disposed.length) throw new Error('an fd that went nowhere')
  return events
}

const typesOf = (events: SessionEvent[], ...types: string[]): string[] =>
  events.map(({ type }) => type).filter(type => types.includes(type))

for (const version of ['7.2', '10.0']) {
  test(`QEMU ${version}, the source of a migration: begun while the rings run, over when they stop`, t => {
    const events = replay(`qemu-${version}-migration-source`)
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
    const events = replay(`qemu-${version}-migration-destination`)
    t.deepEqual(typesOf(events, 'ready', 'migration', 'fault', 'refused'), ['ready'])
    t.true(events.some(event => event.type === 'rarp' && event.mac === '52:54:00:00:00:01'))
  })

  test(`QEMU ${version}: memory is plugged in by slots, and no ring stops for it`, t => {
    const events = replay(`qemu-${version}-hot-plug`)
    t.deepEqual(typesOf(events, 'ready', 'ring-stopped', 'fault', 'refused'), ['ready'])
    const tables = events.flatMap(event => (event.type === 'memory' ? [event.regions.length] : []))
    t.deepEqual(
      tables.slice(-3).map((count, n, last) => count - last[0] - n),
      [0, 0, 0],
      `${tables}`,
    )
  })
}
