// Addresses as text, and back: Node's own parser and printer agree.
import { BlockList } from 'node:net'
import test from 'ava'
import fc from 'fast-check'
import {
  formatIpv4,
  formatIpv6,
  formatMac,
  ipv4Address,
  ipv6Address,
  macAddress,
} from '../../src/headers/index.js'

test('IPv4 and MAC addresses come back as they went', t => {
  fc.assert(
    fc.property(fc.nat(0xffffffff), fc.nat(0xffff), (low, high) => {
      t.is(ipv4Address(formatIpv4(low)), low)
      const mac = high * 2 ** 32 + low
      t.is(macAddress(formatMac(mac)), mac)
    }),
  )
  t.is(ipv4Address('255.255.255.255'), 0xffffffff)
  t.is(macAddress('FF:ff:ff:FF:ff:ff'), 0xffffffffffff)
})

test('IPv6 addresses come back as they went, in the form of RFC 5952', t => {
  const words = fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 })
  fc.assert(
    fc.property(words, words => {
      const bytes = Uint8Array.from(words.flatMap(word => [word >> 8, word & 255]))
      const text = formatIpv6(bytes)
      t.deepEqual(ipv6Address(text), bytes)
      // WHATWG's serializer has the same rules.
      t.is(new URL(`http://[${words.map(word => word.toString(16)).join(':')}]`).hostname, `[${text}]`)
      const list = new BlockList()
      list.addAddress(text, 'ipv6')
      t.true(list.check(words.map(word => word.toString(16)).join(':'), 'ipv6'))
    }),
  )
  t.is(formatIpv6(ipv6Address('2001:DB8:0:0:1::1')), '2001:db8::1:0:0:1')
  t.is(formatIpv6(ipv6Address('::ffff:192.0.2.1')), '::ffff:c000:201')
  t.is(formatIpv6(ipv6Address('::')), '::')
})

test('what is no address is a TypeError', t => {
  for (const text of ['', '1.2.3', '1.2.3.256', '01.2.3.4 ', 'a'])
    t.throws(() => ipv4Address(text), { instanceOf: TypeError })
  for (const text of ['', '1::2::3', 'fe80::1%eth0', '1:2:3', '192.0.2.1'])
    t.throws(() => ipv6Address(text), { instanceOf: TypeError })
  for (const text of ['', '02:00:00:00:00', '02:00:00:00:00:0g', '020000000001'])
    t.throws(() => macAddress(text), { instanceOf: TypeError })
})
