// The packet builders: lengths, fields and checksums as the protocols have them.
import test from 'ava'
import { checksum, ethernet, frame, ipv4, numberOf, tcp, udp } from '../../src/testing/index.js'

const IP = 14
const pseudoSum = (frame: Buffer): number => {
  const length = frame.readUInt16BE(IP + 2) - 20
  const head = Buffer.alloc(12)
  frame.copy(head, 0, IP + 12, IP + 20)
  head[9] = frame[IP + 9]
  head.writeUInt16BE(length, 10)
  return checksum(Buffer.concat([head, frame.subarray(IP + 20, IP + 20 + length)]))
}

test('an Ethernet frame is padded to 60 bytes', t => {
  const short = ethernet({ source: '02:00:00:00:00:09', destination: '02:00:00:00:00:0a', payload: 'x' })
  t.is(short.length, 60)
  t.is(short.subarray(0, 15).toString('hex'), '02000000000a02000000000988b578')
  t.is(ethernet({ payload: Buffer.alloc(100) }).length, 114)
})

test('IPv4, UDP and TCP have valid checksums over odd and even payloads', t => {
  for (const payload of ['', 'a', 'ab', 'a longer one, of odd length']) {
    for (const made of [ipv4({ payload }), udp({ payload }), tcp({ payload })])
      t.is(checksum(made.subarray(IP, IP + 20)), 0)
    for (const made of [udp({ payload, toPort: 53 }), tcp({ payload, flags: 'SA' })]) t.is(pseudoSum(made), 0)
  }
})

test('fields are where they belong', t => {
  const made = tcp({
    from: '192.0.2.1',
    to: '192.0.2.2',
    fromPort: 5,
    toPort: 6,
    sequence: 7,
    flags: 'SA',
    window: 8,
  })
  t.deepEqual([...made.subarray(IP + 12, IP + 20)], [192, 0, 2, 1, 192, 0, 2, 2])
  t.is(made.readUInt32BE(IP + 20), 0x50006)
  t.is(made.readUInt32BE(IP + 24), 7)
  t.is(made.readUInt16BE(IP + 32), 0x5012)
  t.is(made.readUInt16BE(IP + 34), 8)
  t.is(udp({ payload: 'four' }).readUInt16BE(IP + 24), 12)
})

// Worked out in RFC 1071, section 3.
test('the checksum is the Internet’s', t => {
  t.is(checksum(Buffer.from('0001f203f4f5f6f7', 'hex')), ~0xddf2 & 0xffff)
})

test('numbered frames are known again', t => t.is(numberOf(frame(123456)), 123456))
