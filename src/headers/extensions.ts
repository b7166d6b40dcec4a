// Types and lengths of IPv6 extension headers (RFC 8200 §4).
import { IpProtocol } from './numbers.js'

/**
 * Maximum number of extension headers that a walk follows. It limits the walk's time. RFC 8200 §4.1 lists seven
 * headers.
 */
export const MAX_EXTENSIONS = 8

/**
 * Returns the length of an extension header of `type`, whose second byte is `byte`. Returns 0 if `type` is not an
 * extension header.
 */
export function extensionLength(type: number, byte: number): number {
  switch (type) {
    case IpProtocol.HOP_BY_HOP:
    case IpProtocol.ROUTING:
    case IpProtocol.DESTINATION_OPTIONS:
    case IpProtocol.MOBILITY:
    case IpProtocol.HOST_IDENTITY:
    case IpProtocol.SHIM6:
      return (byte + 1) << 3
    case IpProtocol.FRAGMENT:
      return 8
    case IpProtocol.AUTHENTICATION:
      return (byte + 2) << 2
    default:
      return 0
  }
}
