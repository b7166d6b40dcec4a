// Numbers that IEEE and IANA assigned: EtherTypes, protocols, ports.

/** IEEE 802 EtherTypes. */
export const EtherType = {
  IPV4: 0x0800,
  ARP: 0x0806,
  /** An Ethernet frame inside GRE (RFC 7637). */
  ETHERNET: 0x6558,
  /** An IEEE 802.1Q tag. */
  VLAN: 0x8100,
  /** An IEEE 802.1ad service tag. */
  SERVICE_VLAN: 0x88a8,
  /** A service tag of devices older than IEEE 802.1ad. */
  OLD_SERVICE_VLAN: 0x9100,
  IPV6: 0x86dd,
} as const

/** IANA's protocol numbers, for IPv4's field Protocol and IPv6's field Next Header. */
export const IpProtocol = {
  HOP_BY_HOP: 0,
  ICMP: 1,
  TCP: 6,
  UDP: 17,
  DCCP: 33,
  ROUTING: 43,
  FRAGMENT: 44,
  GRE: 47,
  AUTHENTICATION: 51,
  ICMPV6: 58,
  NO_NEXT_HEADER: 59,
  DESTINATION_OPTIONS: 60,
  SCTP: 132,
  MOBILITY: 135,
  UDP_LITE: 136,
  HOST_IDENTITY: 139,
  SHIM6: 140,
} as const

/** Protocols whose header begins with two ports. */
export const WITH_PORTS: readonly number[] = [
  IpProtocol.TCP,
  IpProtocol.UDP,
  IpProtocol.SCTP,
  IpProtocol.DCCP,
  IpProtocol.UDP_LITE,
]

/** The UDP port of VXLAN (RFC 7348 §5). */
export const VXLAN_PORT = 4789
