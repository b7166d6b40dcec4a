// Converts addresses from and to text, for options, logs and tests. Do not call these functions for each packet,
// because a new string is an allocation.
import { isIPv4, isIPv6 } from 'node:net'

const hex = (bytes: Iterable<number>, digits: number): string[] =>
  Array.from(bytes, byte => byte.toString(16).padStart(digits, '0'))

/** Converts text such as `192.0.2.1` to a 32-bit number. Throws a `TypeError` if the text is not an IPv4 address. */
export function ipv4Address(text: string): number {
  if (!isIPv4(text)) throw new TypeError(`not an IPv4 address: ${text}`)
  return text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
}

/** Converts a 32-bit number to text such as `192.0.2.1`. */
export const formatIpv4 = (address: number): string =>
  [24, 16, 8, 0].map(shift => (address >>> shift) & 0xff).join('.')

/**
 * Converts text such as `02:00:00:00:00:01` to a 48-bit number. Throws a `TypeError` if the text is not a MAC address
 * in this form.
 */
export function macAddress(text: string): number {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) throw new TypeError(`not a MAC address: ${text}`)
  return Number.parseInt(text.replaceAll(':', ''), 16)
}

/** Converts a 48-bit number to text such as `02:00:00:00:00:01`. */
export const formatMac = (address: number): string =>
  hex([address / 0x100000000, (address % 0x100000000) >>> 16, address & 0xffff].map(Math.trunc), 4)
    .map(word => `${word.slice(0, 2)}:${word.slice(2)}`)
    .join(':')

/**
 * Converts text such as `2001:db8::1` to 16 bytes. Throws a `TypeError` if the text is not an IPv6 address, or is an
 * address with a zone.
 */
export function ipv6Address(text: string): Uint8Array {
  if (!isIPv6(text) || text.includes('%')) throw new TypeError(`not an IPv6 address: ${text}`)
  const words = text.replace(/[^:]*\.[^:]*$/, quad => {
    const number = ipv4Address(quad)
    return `${(number >>> 16).toString(16)}:${(number & 0xffff).toString(16)}`
  })
  const [head, tail = ''] = words.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === '' ? [] : tail.split(':')
  const all = [...before, ...new Array(8 - before.length - after.length).fill('0'), ...after]
  return Uint8Array.from(
    all.flatMap(word => [Number.parseInt(word, 16) >> 8, Number.parseInt(word, 16) & 0xff]),
  )
}

/** Converts 16 bytes to text such as `2001:db8::1`, in the form that RFC 5952 recommends. */
export function formatIpv6(address: Uint8Array): string {
  const words = Array.from({ length: 8 }, (_, i) => ((address[2 * i] << 8) | address[2 * i + 1]).toString(16))
  // `::` replaces the longest run of at least two zero words, or the first such run if several are equally long.
  const runs = words.map((_, i) => {
    const end = words.findIndex((word, j) => j >= i && word !== '0')
    return (end < 0 ? 8 : end) - i
  })
  const longest = Math.max(...runs)
  if (longest < 2) return words.join(':')
  const at = runs.indexOf(longest)
  return `${words.slice(0, at).join(':')}::${words.slice(at + longest).join(':')}`
}
