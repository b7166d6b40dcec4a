// The fields of payloads against DataView, which is how the protocol's byte order is defined here, and the names of bits.
import test from 'ava'
import fc from 'fast-check'
import {
  decodeRegion,
  decodeU64,
  decodeVringAddresses,
  decodeVringState,
  encodeMessage,
  encodeU64,
  encodeVringAddresses,
  encodeVringState,
} from '../../src/control/codec.js'
import { featureNames, protocolFeatureNames } from '../../src/control/feature-names.js'

const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })
const u32 = fc.nat(0xffffffff)
const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

test('fields are little-endian, at full width, wherever the payload lies in its buffer', t => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 40, maxLength: 40 }), fc.nat(9), (payload, at) => {
      const bytes = new Uint8Array(at + 40).subarray(at)
      bytes.set(payload)
      const view = viewOf(bytes)
      const word = (offset: number) => view.getBigUint64(offset, true)
      const [index, flags] = [view.getUint32(0, true), view.getUint32(4, true)]
      t.is(decodeU64(bytes), word(0))
      t.deepEqual(decodeVringState(bytes), { index, value: flags })
      t.deepEqual(decodeRegion(bytes), { guest: word(8), size: word(16), user: word(24), offset: word(32) })
      const ring = { flags, descriptors: word(8), used: word(16), available: word(24), log: word(32) }
      t.deepEqual(decodeVringAddresses(bytes), { index, addresses: ring })
      t.deepEqual(encodeVringAddresses(index, ring), payload)
    }),
  )
})

test('what is encoded is what is decoded', t => {
  fc.assert(
    fc.property(u64, u32, u32, (word, a, b) => {
      t.is(decodeU64(encodeU64(word)), word)
      t.deepEqual(decodeVringState(encodeVringState({ index: a, value: b })), { index: a, value: b })
      const message = viewOf(encodeMessage(a, b, encodeU64(word)))
      t.deepEqual(
        [0, 4, 8].map(at => message.getUint32(at, true)),
        [a, b, 8],
      )
      t.is(message.getBigUint64(12, true), word)
    }),
  )
})

test('a field that is not all there is an error, not a number', t => {
  for (const length of [0, 3, 4, 7])
    t.throws(() => decodeU64(new Uint8Array(length)), { instanceOf: RangeError })
  t.throws(() => decodeVringAddresses(new Uint8Array(39)), { instanceOf: RangeError })
})

test('names of bits: lowest first, and one without a name by its number', t => {
  t.deepEqual(featureNames((1n << 63n) | (1n << 32n) | (1n << 31n) | 1n), [
    'VIRTIO_NET_F_CSUM',
    'bit 31',
    'VIRTIO_F_VERSION_1',
    'bit 63',
  ] as string[] as ReturnType<typeof featureNames>)
  t.is(featureNames((1n << 64n) - 1n).length, 64)
  t.deepEqual(featureNames(0n), [])
  t.deepEqual(protocolFeatureNames(1n | (1n << 16n)), [
    'VHOST_USER_PROTOCOL_F_MQ',
    'VHOST_USER_PROTOCOL_F_STATUS',
  ])
})
