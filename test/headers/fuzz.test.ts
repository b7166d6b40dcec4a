// Any bytes at all, and good frames with some bytes changed, cut off, or joined: the reader never throws, never reads
// past the end, and what it says is there lies within the frame.
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { HeaderReader } from '../../src/headers/index.js'
import { names, saidBy } from './support/fields.js'
import { mutilated } from './support/mutilated.js'
import { withPacket } from './support/packets.js'

const reader = new HeaderReader()
function withinFrame(t: ExecutionContext, reader: HeaderReader, length: number): void {
  for (const name of names) {
    const view = reader[name]
    if (view === undefined) continue
    t.true(view.offset >= 0 && view.payloadOffset <= length, name)
  }
  const { tcp, ipv4, ipv6, inner } = reader
  if (tcp) t.true(tcp.payloadLength >= 0 && tcp.payloadOffset + tcp.payloadLength <= length)
  if (ipv4) t.true(ipv4.payloadLength >= 0 && ipv4.payloadOffset + ipv4.payloadLength <= length)
  if (ipv6) t.true(ipv6.payloadOffset + ipv6.payloadLength <= length && ipv6.upperLayerOffset <= length)
  t.false(ipv4 !== undefined && ipv6 !== undefined)
  if (inner) withinFrame(t, inner, length)
}

function holds(t: ExecutionContext, bytes: Uint8Array): void {
  const [ones, zeros] = [0xff, 0].map(around => withPacket(bytes, p => saidBy(reader.of(p)), around))
  t.deepEqual(ones, zeros)
  withPacket(bytes, packet => withinFrame(t, reader.of(packet), bytes.length))
}

test('mutilated frames', t => {
  fc.assert(
    fc.property(mutilated, bytes => holds(t, bytes)),
    { numRuns: 5000 },
  )
})

test('any bytes', t => {
  const types = fc.constantFrom([8, 0], [0x86, 0xdd], [8, 6], [0x81, 0], [0x88, 0xa8])
  const bytes = fc.tuple(fc.uint8Array({ maxLength: 160 }), fc.option(types)).map(([bytes, type]) => {
    if (type && bytes.length > 14) bytes.set(type, 12)
    return bytes
  })
  fc.assert(
    fc.property(bytes, bytes => holds(t, bytes)),
    { numRuns: 3000 },
  )
})
