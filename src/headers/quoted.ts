// Reads the key of a flow from an ICMP error. The error quotes the beginning of the packet that caused it (RFC 792, RFC
// 4443 §3). The quoted packet is truncated, so its length fields are not used. Every read stays within the error
// message.
import {
  FAMILY_IPV4,
  FAMILY_IPV6,
  FAMILY_SHIFT,
  KEY_DESTINATION,
  KEY_DESTINATION6,
  KEY_HAS_PORTS,
  KEY_KIND,
  KEY_PORTS,
  KEY_SOURCE,
  KEY_SOURCE6,
} from './flow.js'
import type { Layout } from './layout.js'
import { IpProtocol, WITH_PORTS } from './numbers.js'

/**
 * Whether this ICMP type is destination unreachable, time exceeded or parameter problem. A redirect is not an error: it
 * changes routes.
 */
const isError4 = (type: number): boolean => type === 3 || type === 11 || type === 12
/** Whether this ICMPv6 type is destination unreachable, packet too big, time exceeded or parameter problem. */
const isError6 = (type: number): boolean => type >= 1 && type <= 4
/** Minimum number of bytes after the IP header that an ICMP error quotes (RFC 792). */
const QUOTED = 8

/** Reads the addresses of the IPv6 header at `at`. */
export function readAddresses6(words: Int32Array, view: DataView, at: number): void {
  for (let i = 0; i < 3; i++) {
    words[KEY_SOURCE6 + i] = view.getInt32(at + 8 + 4 * i)
    words[KEY_DESTINATION6 + i] = view.getInt32(at + 24 + 4 * i)
  }
  words[KEY_SOURCE] = view.getInt32(at + 20)
  words[KEY_DESTINATION] = view.getInt32(at + 36)
}

/**
 * Reads the key of the packet that an ICMP error quotes. `layout` is the ICMP error, and its headers are found already.
 * Returns false if it is not an ICMP error, or does not quote enough bytes.
 */
export function readQuoted(words: Int32Array, layout: Layout): boolean {
  const { view, start, icmp, icmp6, end } = layout
  if (icmp >= 0)
    return isError4(view.getUint8(start + icmp)) && quoted4(words, view, start + icmp + 8, start + end)
  if (icmp6 >= 0)
    return isError6(view.getUint8(start + icmp6)) && quoted6(words, view, start + icmp6 + 8, start + end)
  return false
}

function quoted4(words: Int32Array, view: DataView, at: number, end: number): boolean {
  if (end - at < 20) return false
  const header = (view.getUint8(at) & 0xf) << 2
  if (view.getUint8(at) >>> 4 !== 4 || header < 20 || end - at < header + QUOTED) return false
  // The key of a fragment would have no ports.
  if ((view.getUint16(at + 6) & 0x3fff) !== 0) return false
  words[KEY_SOURCE] = view.getInt32(at + 12)
  words[KEY_DESTINATION] = view.getInt32(at + 16)
  return upper(words, view, at + header, FAMILY_IPV4, view.getUint8(at + 9))
}

function quoted6(words: Int32Array, view: DataView, at: number, end: number): boolean {
  if (end - at < 40 + QUOTED || view.getUint8(at) >>> 4 !== 6) return false
  readAddresses6(words, view, at)
  return upper(words, view, at + 40, FAMILY_IPV6, view.getUint8(at + 6))
}

function upper(words: Int32Array, view: DataView, at: number, family: number, protocol: number): boolean {
  words[KEY_KIND] = (family << FAMILY_SHIFT) | protocol | KEY_HAS_PORTS
  if (WITH_PORTS.includes(protocol)) {
    words[KEY_PORTS] = view.getInt32(at)
    return true
  }
  if (protocol !== IpProtocol.ICMP && protocol !== IpProtocol.ICMPV6) return false
  const identifier = view.getUint16(at + 4)
  words[KEY_PORTS] = (identifier << 16) | identifier
  return true
}
