// The extension headers of IPv6 by their type and length (RFC 8200 §4).
import { IpProtocol } from './numbers.js'

/** RFC 8200 §4.1 has seven in its order; a chain of them is walked for each packet, so it has an end. */
export const MAX_EXTENSIONS = 8

/** The length of an extension header of `type` by its second byte, or 0 where `type` is none. */
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
