// The public API of `rx-vhost/headers`. Its modules do not load the addon.
export { formatIpv4, formatIpv6, formatMac, ipv4Address, ipv6Address, macAddress } from './addresses.js'
export type { ChecksumStatus } from './checksum.js'
export type { ArpHeader, EthernetHeader, VlanHeader } from './ethernet.js'
export { FlowKey, KEY_WORDS } from './flow.js'
export { type FlowKeyOptions, FlowKeyReader } from './flow-key.js'
export type { Ipv4Header } from './ipv4.js'
export type { ExtensionHeader, FragmentHeader, Ipv6Header } from './ipv6.js'
export { EtherType, IpProtocol, VXLAN_PORT } from './numbers.js'
export { type HeaderOptions, HeaderReader } from './reader.js'
export { type IcmpHeader, type Icmpv6Header, TcpFlag, type TcpHeader, type UdpHeader } from './transport.js'
export type { GreHeader, VxlanHeader } from './tunnels.js'
export type { WritableArpHeader, WritableEthernetHeader, WritableVlanHeader } from './writable-ethernet.js'
export type { WritableIpv4Header, WritableIpv6Header } from './writable-ip.js'
export type {
  WritableIcmpHeader,
  WritableIcmpv6Header,
  WritableTcpHeader,
  WritableUdpHeader,
} from './writable-transport.js'
export type { WritableGreHeader, WritableVxlanHeader } from './writable-tunnels.js'
export { HeaderWriter } from './writer.js'
