// Types and lengths of IPv6 extension headers (RFC 8200 §4).
import { IpProtocol } from './numbers.js'

/** The most extension headers that a walk follows, a bound on its time; RFC 8200 §4.1 lists seven. */
export const MAX_EXTENSIONS = 8

/** The length of an extension header of `type`, from its second byte; 0 if `type` is no extension header. */
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
