// What the header reader says of a frame, beside what tshark says of it: of generated frames, of frames that a Linux
// kernel sent, of both mutilated, and of what the header writer made of them.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { HeaderWriter } from '../../src/headers/index.js'
import { corpus, lies } from '../headers/support/corpus.js'
import { mutilated } from '../headers/support/mutilated.js'
import { rewritten } from '../headers/support/packets.js'
import { columns, saidAs } from './support/dissection.js'
import { readPcap, writePcap } from './support/pcap.js'
import { needProgram, root } from './support/program.js'

const captured = readPcap(join(root, 'test/interop/support/captured.pcap'))

/** Set where tshark gave up on a frame. */
const MALFORMED = '_ws.malformed'

/** A number in decimal, whichever way tshark prints that one. */
const plain = (value: string): string => (value.startsWith('0x') ? String(Number(value)) : value)

/** Column → values, from the outermost header in; for each frame. */
function tshark(frames: readonly Uint8Array[]): Record<string, string[]>[] {
  const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-tshark-'))
  try {
    const file = join(folder, 'frames.pcap')
    writePcap(file, frames)
    const fields = [...Object.keys(columns), MALFORMED]
    const options = ['ip.check_checksum:TRUE', 'tcp.check_checksum:TRUE', 'udp.check_checksum:TRUE']
    const off = ['ip.defragment:FALSE', 'ipv6.defragment:FALSE', 'tcp.relative_sequence_numbers:FALSE']
    const out = execFileSync(
      needProgram('tshark', 'tshark'),
      [
        ...['-n', '-r', file, '-T', 'fields', '-E', 'occurrence=a', '-E', 'aggregator=;'],
        ...[...options, ...off].flatMap(option => ['-o', option]),
        ...fields.flatMap(field => ['-e', field]),
      ],
      { encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'ignore'] },
    )
    return out
      .split('\n')
      .slice(0, frames.length)
      .map(line => {
        const cells = line.split('\t')
        return Object.fromEntries(
          fields.map((field, i) => [field, cells[i] ? cells[i].split(';').map(plain) : []]),
        )
      })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** ICMP's errors quote a packet, which tshark dissects, too. */
const quotes = (ours: Record<string, string[]>): boolean =>
  ours['icmp.type'].some(type => [3, 4, 5, 11, 12].includes(Number(type))) ||
  ours['icmpv6.type'].some(type => Number(type) < 128)

/** The columns in which the two are not alike: ours, theirs. */
function differing(
  ours: Record<string, string[]>,
  theirs: Record<string, string[]>,
): Record<string, [string, string]> {
  const most = quotes(ours)
  return Object.fromEntries(
    Object.keys(columns)
      .map((name): [string, [string, string]] => {
        const shown = most ? theirs[name].slice(0, ours[name].length) : theirs[name]
        return [name, [ours[name].join(), shown.join()]]
      })
      .filter(([, [one, other]]) => one !== other),
  )
}

test('whole frames: the same headers with the same fields, and the same verdict on each checksum', t => {
  const frames = [...Object.values(corpus), ...captured]
  const names = [...Object.keys(corpus), ...captured.map((_, i) => `captured ${i + 1}`)]
  const theirs = tshark(frames)
  t.is(theirs.length, frames.length)
  for (const [i, frame] of frames.entries()) {
    t.deepEqual(differing(saidAs(frame), theirs[i]), {}, `${names[i]}: ${Buffer.from(frame).toString('hex')}`)
  }
  t.is(captured.length, 28)
})

test('mutilated frames: what we say is there, tshark reads alike', t => {
  const changed = captured.flatMap((frame, i) =>
    [12, 14, 20, 23, 34, 38, 46].map(at => {
      const bytes = Uint8Array.from(frame)
      if (at < bytes.length) bytes[at] ^= 1 << (i & 7)
      return bytes
    }),
  )
  const frames = [
    ...Object.values(lies).map(([frame]) => frame),
    ...fc.sample(mutilated, { numRuns: 4000, seed: 6 }).filter(frame => frame.length >= 14),
    ...changed,
  ]
  const theirs = tshark(frames)
  const unlike: Record<string, string> = {}
  let [compared, stopped] = [0, 0]
  for (const [i, frame] of frames.entries()) {
    const ours = saidAs(frame)
    const gaveUp = theirs[i][MALFORMED].length > 0
    if (gaveUp) stopped++
    for (const [field, values] of Object.entries(ours)) {
      // From the outermost in. tshark goes on where we stop, and into packets that ICMP quotes; it stops at the first
      // option that it takes for malformed, which we don't read.
      const shown = theirs[i][field]
      const count = gaveUp ? Math.min(shown.length, values.length) : values.length
      // Of a checksum that can't be told by us, tshark may say more.
      if (field.endsWith('status') && values.includes('2')) continue
      compared += count
      const [one, other] = [values.slice(0, count).join(), shown.slice(0, count).join()]
      if (one !== other) unlike[`${field} ${one}, not ${other}`] = Buffer.from(frame).toString('hex')
    }
  }
  t.log(`${frames.length} frames, ${compared} fields compared, tshark gave up on ${stopped}`)
  t.deepEqual(unlike, {})
  t.true(compared > 40_000)
  t.true(stopped < frames.length / 2)
})

test('rewritten frames: tshark finds the fields as they were set, and every checksum as good as it was', t => {
  const writer = new HeaderWriter()
  const frames = [...Object.values(corpus), ...captured]
  const before = tshark(frames)
  const made = frames.map(frame =>
    rewritten(frame, packet => {
      for (let headers: HeaderWriter | undefined = writer.of(packet); headers; headers = headers.inner) {
        const { ethernet, vlan, ipv4, ipv6, tcp, udp, icmp, gre } = headers
        if (ethernet) ethernet.sourceAddress = 0x0200deadbeef
        if (vlan) vlan.vlanIdentifier = 1234
        if (ipv4) {
          ipv4.timeToLive--
          ipv4.sourceAddress = 0xcb007101
          ipv4.destinationAddress = 0xcb0071fe
        }
        if (ipv6) {
          ipv6.hopLimit--
          ipv6.setSource(Uint8Array.from({ length: 16 }, (_, i) => 32 + i))
        }
        if (tcp) tcp.destinationPort = 8443
        if (udp) udp.sourcePort = 40000
        if (icmp) icmp.sequenceNumber = 9
        if (gre?.keyPresent) gre.key = 7
      }
    }),
  )
  const after = tshark(made)
  for (const [i, frame] of made.entries()) {
    t.deepEqual(differing(saidAs(frame), after[i]), {})
    for (const field of Object.keys(columns).filter(name => name.endsWith('status')))
      t.deepEqual(after[i][field], before[i][field], field)
    t.true(saidAs(frame)['ip.src'].every(address => address === '203.0.113.1'))
  }
})
