// What a WritablePacket lets be written, into copies and in place: where the bytes go, and which it refuses.
import test from 'ava'
import { mapPackets } from '../../src/operators/index.js'
import type { WritablePacket } from '../../src/packet/writable.js'
import { fakeFromGuest, fakePlane, frame } from '../../src/testing/index.js'

const LENGTH = frame().length

interface Access {
  width: number
  read(packet: WritablePacket, offset: number): unknown
  write(packet: WritablePacket, offset: number, value: number): void
}

const accesses: Access[] = [
  { width: 1, read: (p, at) => p.uint8(at), write: (p, at, value) => p.setUint8(at, value) },
  { width: 2, read: (p, at) => p.uint16(at), write: (p, at, value) => p.setUint16(at, value) },
  { width: 4, read: (p, at) => p.uint32(at), write: (p, at, value) => p.setUint32(at, value) },
]
const setFour = (p: WritablePacket, at: number): void => p.set(Buffer.alloc(4, 0xaa), at)

/** Calls `write` with a packet, which has ended when this returns, strict or not, copied or in place. */
function given(write: (packet: WritablePacket) => void, { strict = false, inPlace = false } = {}): void {
  const plane = fakePlane({ strict })
  const { queue, port } = fakeFromGuest(plane)
  let calls = 0
  const subscription = queue
    .pipe(
      mapPackets(
        packet => {
          calls++
          write(packet)
        },
        { inPlace },
      ),
    )
    .subscribe()
  port.send(frame())
  plane.loop.drain()
  subscription.unsubscribe()
  if (calls !== 1) throw new Error(`called ${calls} times`)
}

const forms = [false, true].flatMap(strict => [false, true].map(inPlace => ({ strict, inPlace })))

test('numbers are written in network byte order, cut to their width, and nothing beside them', t => {
  for (const form of forms)
    given(packet => {
      for (const value of [
        0,
        1,
        0x80,
        0x1ff,
        0x12345678,
        0x87654321,
        2 ** 32 - 1,
        2 ** 32 + 5,
        -2,
        1.9,
        Number.NaN,
      ])
        for (const { width, read, write } of accesses)
          for (const at of [0, 1, 13, LENGTH - width]) {
            const expected = packet.toBuffer()
            const bits = BigInt.asUintN(8 * width, BigInt(Math.trunc(value) || 0))
            for (let i = 0; i < width; i++)
              expected[at + i] = Number(bits >> BigInt(8 * (width - 1 - i))) & 0xff
            write(packet, at, value)
            t.deepEqual(packet.toBuffer(), expected, `${value} in ${width} bytes at ${at}`)
            t.is(read(packet, at), Number(bits))
          }
    }, form)
})

test('a write is refused where a read is, in the same words, and writes nothing', t => {
  given(packet => {
    const before = packet.toBuffer()
    for (const { width, read, write } of accesses)
      for (const at of [LENGTH - width + 1, LENGTH, -1, 0.5, Number.NaN, 2 ** 32, Infinity, '0' as never]) {
        const expected = {
          instanceOf: RangeError,
          message: `${width} bytes at ${at} are outside a packet of ${LENGTH}`,
        }
        t.throws(() => read(packet, at), expected)
        t.throws(() => write(packet, at, 1), expected)
      }
    t.throws(() => setFour(packet, LENGTH - 3), {
      message: `4 bytes at ${LENGTH - 3} are outside a packet of ${LENGTH}`,
    })
    t.deepEqual(packet.toBuffer(), before)
  })
})

test('the bounds are those of the frame as it is now', t => {
  given(packet => {
    packet.prepend(4)
    packet.setUint32(0, 0x01020304)
    packet.setUint8(LENGTH + 3, 9)
    t.throws(() => packet.setUint8(LENGTH + 4, 0), { instanceOf: RangeError })
    packet.trimFront(6)
    t.is(packet.uint8(LENGTH - 3), 9)
    t.throws(() => packet.setUint8(LENGTH - 2, 0), { instanceOf: RangeError })
    packet.truncate(3)
    packet.setUint16(1, 0xffff)
    t.throws(() => packet.setUint16(2, 0), { message: '2 bytes at 2 are outside a packet of 3' })
    t.throws(() => packet.setUint32(0, 0), { message: '4 bytes at 0 are outside a packet of 3' })
  })
})

test('whatever is written after the call says that the lease has ended, wherever to', t => {
  for (const form of forms) {
    let late: WritablePacket | undefined
    given(packet => {
      late = packet
    }, form)
    const packet = late as WritablePacket
    const ended = { code: 'ERR_VHOST_LEASE_ENDED' }
    for (const at of [0, LENGTH, -1, 0.5])
      for (const write of [...accesses.map(({ write }) => write), setFour])
        t.throws(() => write(packet, at, 1), ended)
    t.throws(() => packet.prepend(1), ended)
    t.throws(() => packet.trimFront(1), ended)
    t.throws(() => packet.append(1), ended)
    t.throws(() => packet.truncate(1), ended)
    t.throws(() => packet.header, ended)
  }
})

test('a header that was taken before is not written after the call', t => {
  for (const form of forms) {
    let header: WritablePacket['header'] | undefined
    given(packet => {
      header = packet.header
      header.flags = 1
    }, form)
    t.throws(() => Object.assign(header as object, { flags: 0 }), { code: 'ERR_VHOST_LEASE_ENDED' })
    t.throws(() => header?.flags, { code: 'ERR_VHOST_LEASE_ENDED' })
  }
})
