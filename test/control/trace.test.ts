// What a traced message says: every request by its name, its payload decoded and as it was, whatever it holds.
import test from 'ava'
import fc from 'fast-check'
import {
  encodeConfig,
  encodeMemoryTable,
  encodeU64,
  encodeVringAddresses,
  encodeVringState,
} from '../../src/control/codec.js'
import { requests } from '../../src/control/requests.js'
import { traced, traceText } from '../../src/control/trace.js'
import { region } from './front-end.js'

const seen = (request: number, payload: Uint8Array = new Uint8Array(), fds = 0, flags = 1) =>
  traced('in', { request, flags, payload, fds })

test('features are named, rings numbered, addresses written as they are known', t => {
  t.deepEqual(seen(2, encodeU64(1n << 32n)).data, { features: ['VIRTIO_F_VERSION_1'] })
  t.deepEqual(seen(16, encodeU64(9n)).data, {
    features: ['VHOST_USER_PROTOCOL_F_MQ', 'VHOST_USER_PROTOCOL_F_REPLY_ACK'],
  })
  t.deepEqual(seen(8, encodeVringState({ index: 3, value: 256 })).data, { ring: 3, value: 256 })
  t.deepEqual(seen(12, encodeU64(0x102n)).data, { ring: 2, fd: false })
  t.deepEqual(seen(5, encodeMemoryTable([region]), 1).data, {
    regions: [{ guest: '0x10000000', size: '0x100000', user: '0x7f0000000000', offset: '0x0' }],
  })
  const at = { flags: 1, descriptors: 16n, used: 32n, available: 48n, log: 64n }
  t.deepEqual(seen(9, encodeVringAddresses(1, at)).data, {
    ...{ ring: 1, flags: 1, descriptors: '0x10', used: '0x20', available: '0x30', log: '0x40' },
  })
})

test('an answer is read as what was asked for, and an acknowledgement as what it says', t => {
  const out = (request: number, payload: Uint8Array) =>
    traced('out', { request, flags: 5, payload, fds: 0 }).data
  t.deepEqual(out(11, encodeVringState({ index: 1, value: 77 })), { ring: 1, value: 77 })
  t.deepEqual(out(17, encodeU64(128n)), { value: 128 })
  t.deepEqual(out(5, encodeU64(0n)), { accepted: true })
  t.deepEqual(out(5, encodeU64(1n)), { accepted: false })
  t.deepEqual(out(24, encodeConfig(4, Uint8Array.of(1, 0xab))), { offset: 4, size: 2, bytes: '01ab' })
  t.deepEqual(out(24, new Uint8Array()), { bytes: 0 })
})

test('as a line of text', t => {
  t.is(traceText(seen(12, encodeU64(1n), 1, 9)), '← SET_VRING_KICK ring 1, fd true, 1 fd (wants a reply)')
  t.is(
    traceText(traced('out', { request: 3, flags: 5, payload: encodeU64(0n), fds: 0 })),
    '→ SET_OWNER accepted true',
  )
  t.is(traceText(seen(1)), '← GET_FEATURES')
  t.is(traceText(seen(99, new Uint8Array(3))), '← request 99 bytes 3')
})

test('whatever a message holds, it is traced, goes through JSON, and keeps its bytes', t => {
  fc.assert(
    fc.property(
      fc.oneof(fc.constantFrom(...requests.map(({ id }) => id)), fc.nat(60), fc.nat(0xffffffff)),
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom('in' as const, 'out' as const),
      (request, payload, way) => {
        const entry = traced(way, { request, flags: 9, payload, fds: 2 })
        const again = JSON.parse(JSON.stringify(entry))
        t.deepEqual(again, entry)
        t.is(Buffer.from(again.payload, 'hex').compare(payload), 0)
        t.true(traceText(entry).length > 0)
      },
    ),
  )
})
