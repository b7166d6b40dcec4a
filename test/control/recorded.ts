// Recordings of what real programs said: traces (driver.trace$, a line a message) of the interop tests, made with
// RX_VHOST_RECORD=1; and their replay, in which each request must be answered as it was, with the same bytes.
//
// Native code is played: every ask succeeds, and a ring stops at the index that the recording's next GET_VRING_BASE of that
// ring was answered with.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeU64, decodeVringState, FLAG_NEED_REPLY, VERSION } from '../../src/control/codec.js'
import type { SessionEvent } from '../../src/control/events.js'
import type { SessionOptions } from '../../src/control/initial-state.js'
import type { TracedMessage } from '../../src/control/trace.js'
import { FrontEnd } from './front-end.js'

const folder = join(import.meta.dirname, '../../../test/control/recordings')

type Line = TracedMessage & { time: number; device: number }

const bytesOf = ({ payload }: Line): Uint8Array => Uint8Array.from(Buffer.from(payload, 'hex'))

export const read = (name: string): Line[] =>
  readFileSync(join(folder, name), 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as Line)

/** A device's messages each: a program that came back has several. The ids of two processes may be the same. */
export function connections(lines: Line[]): Line[][] {
  const all: Line[][] = []
  let last: Line | undefined
  for (const line of lines) {
    if (line.device !== last?.device || line.time < last.time) all.push([])
    all.at(-1)?.push(line)
    last = line
  }
  return all
}

/** What was offered then, as the answers tell it. */
function offered(lines: Line[]): SessionOptions {
  const answer = (request: string) => {
    const line = lines.find(({ way, request: name }) => way === 'out' && name === request)
    return line && decodeU64(bytesOf(line))
  }
  return {
    features: answer('GET_FEATURES'),
    protocolFeatures: answer('GET_PROTOCOL_FEATURES'),
    queuePairs: Number(answer('GET_QUEUE_NUM') ?? 1n),
  }
}

/** Replays one connection; what the session told, and at how many rings it was ready. */
export function replay(lines: Line[]): {
  events: SessionEvent[]
  ringsAtReady: number[]
  frontEnd: FrontEnd
} {
  const events: SessionEvent[] = []
  const ringsAtReady: number[] = []
  let at = 0
  const baseOf = (ring: number): number => {
    const answer = lines
      .slice(at)
      .find(line => line.way === 'out' && line.request === 'GET_VRING_BASE' && line.data.ring === ring)
    return answer ? decodeVringState(bytesOf(answer)).value : 0
  }
  const frontEnd = new FrontEnd(
    ask => (ask.kind === 'stop-ring' ? { value: baseOf(ask.ring) } : undefined),
    offered(lines),
  )
  const expected = lines.filter(({ way, data }) => way === 'out' && data.channel === undefined)
  const answered: string[] = []
  for (; at < lines.length; at++) {
    const line = lines[at]
    if (line.way === 'out') continue
    const flags = VERSION | (line.needReply ? FLAG_NEED_REPLY : 0)
    frontEnd.send(line.id, bytesOf(line), { flags, fds: frontEnd.fds(line.fds) })
    events.push(...frontEnd.events)
    for (const reply of frontEnd.replies)
      answered.push(`${reply.request} ${Buffer.from(reply.payload).toString('hex')}`)
    if (frontEnd.eventTypes.includes('ready')) ringsAtReady.push(frontEnd.running.length)
  }
  const wanted = expected.map(({ id, payload }) => `${id} ${payload}`)
  for (const [i, text] of wanted.entries())
    if (answered[i] !== text) throw new Error(`answer ${i}: ${answered[i]}, not ${text}`)
  if (answered.length !== wanted.length) throw new Error(`${answered.length} answers, not ${wanted.length}`)
  return { events, ringsAtReady, frontEnd }
}

export const recordings = readdirSync(folder).filter(name => name.endsWith('.jsonl'))
