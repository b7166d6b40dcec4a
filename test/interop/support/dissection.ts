// What the header reader says of a frame, in tshark's columns: field → values, from the outermost header in.
import { formatIpv4, formatIpv6, formatMac, HeaderReader } from '../../../src/headers/index.js'
import { withPacket } from '../../headers/support/packets.js'

type Value = number | string | boolean | undefined
type Column = (headers: HeaderReader) => Value[] | Value

const mac = (value: number | undefined): string | undefined =>
  value === undefined ? undefined : formatMac(value)
const ip = (value: number | undefined): string | undefined =>
  value === undefined ? undefined : formatIpv4(value)
const flag = (value: boolean | undefined): number | undefined =>
  value === undefined ? undefined : Number(value)
const verdict = (status: string | undefined): number | undefined =>
  status === undefined ? undefined : { bad: 0, good: 1, unverified: 2, none: 3 }[status]

function ip6(headers: HeaderReader, copy: 'copySource' | 'copyDestination'): string | undefined {
  if (!headers.ipv6) return undefined
  const bytes = new Uint8Array(16)
  headers.ipv6[copy](bytes)
  return formatIpv6(bytes)
}

/** The tags of a kind, outer first. */
function tags<T extends Value>(
  headers: HeaderReader,
  service: boolean,
  get: (tag: NonNullable<HeaderReader['vlan']>) => T,
): T[] {
  return [headers.vlan, headers.innerVlan].flatMap(tag =>
    tag && (tag.tagProtocolIdentifier === 0x88a8) === service ? [get(tag)] : [],
  )
}

const ETHERNET = 1536

export const columns: Record<string, Column> = {
  'eth.dst': h => mac(h.ethernet?.destinationAddress),
  'eth.src': h => mac(h.ethernet?.sourceAddress),
  'eth.type': h => (h.ethernet && h.ethernet.etherType >= ETHERNET ? h.ethernet.etherType : undefined),
  'vlan.id': h => tags(h, false, tag => tag.vlanIdentifier),
  'vlan.priority': h => tags(h, false, tag => tag.priorityCodePoint),
  'vlan.dei': h => tags(h, false, tag => Number(tag.dropEligible)),
  'ieee8021ad.id': h => tags(h, true, tag => tag.vlanIdentifier),
  'ieee8021ad.priority': h => tags(h, true, tag => tag.priorityCodePoint),
  'ieee8021ad.dei': h => tags(h, true, tag => Number(tag.dropEligible)),
  'arp.opcode': h => h.arp?.operation,
  'arp.src.hw_mac': h => mac(h.arp?.senderHardwareAddress),
  'arp.src.proto_ipv4': h => ip(h.arp?.senderProtocolAddress),
  'arp.dst.hw_mac': h => mac(h.arp?.targetHardwareAddress),
  'arp.dst.proto_ipv4': h => ip(h.arp?.targetProtocolAddress),
  'ip.hdr_len': h => h.ipv4?.length,
  'ip.dsfield.dscp': h => h.ipv4?.differentiatedServices,
  'ip.dsfield.ecn': h => h.ipv4?.congestionNotification,
  'ip.len': h => h.ipv4?.totalLength,
  'ip.id': h => h.ipv4?.identification,
  'ip.flags.df': h => flag(h.ipv4?.dontFragment),
  'ip.flags.mf': h => flag(h.ipv4?.moreFragments),
  'ip.frag_offset': h => h.ipv4?.fragmentOffset,
  'ip.ttl': h => h.ipv4?.timeToLive,
  'ip.proto': h => h.ipv4?.protocol,
  'ip.checksum': h => h.ipv4?.headerChecksum,
  'ip.checksum.status': h => verdict(h.ipv4?.headerChecksumStatus),
  'ip.src': h => ip(h.ipv4?.sourceAddress),
  'ip.dst': h => ip(h.ipv4?.destinationAddress),
  'ipv6.tclass': h => h.ipv6?.trafficClass,
  'ipv6.flow': h => h.ipv6?.flowLabel,
  'ipv6.plen': h => h.ipv6?.payloadLength,
  'ipv6.nxt': h => h.ipv6?.nextHeader,
  'ipv6.hlim': h => h.ipv6?.hopLimit,
  'ipv6.src': h => ip6(h, 'copySource'),
  'ipv6.dst': h => ip6(h, 'copyDestination'),
  'ipv6.fraghdr.offset': h => h.fragment?.fragmentOffset,
  'ipv6.fraghdr.more': h => flag(h.fragment?.moreFragments),
  'ipv6.fraghdr.ident': h => h.fragment?.identification,
  'tcp.srcport': h => h.tcp?.sourcePort,
  'tcp.dstport': h => h.tcp?.destinationPort,
  'tcp.seq_raw': h => h.tcp?.sequenceNumber,
  'tcp.ack_raw': h => h.tcp?.acknowledgmentNumber,
  'tcp.hdr_len': h => h.tcp?.length,
  'tcp.len': h => h.tcp?.payloadLength,
  'tcp.window_size_value': h => h.tcp?.window,
  'tcp.checksum': h => h.tcp?.checksum,
  'tcp.checksum.status': h => verdict(h.tcp?.checksumStatus),
  'tcp.urgent_pointer': h => h.tcp?.urgentPointer,
  'tcp.options.mss_val': h => h.tcp?.maximumSegmentSize,
  'udp.srcport': h => h.udp?.sourcePort,
  'udp.dstport': h => h.udp?.destinationPort,
  'udp.length': h => h.udp?.datagramLength,
  'udp.checksum': h => h.udp?.checksum,
  'udp.checksum.status': h => verdict(h.udp?.checksumStatus),
  'icmp.type': h => h.icmp?.type,
  'icmp.code': h => h.icmp?.code,
  'icmp.checksum': h => h.icmp?.checksum,
  'icmp.checksum.status': h => verdict(h.icmp?.checksumStatus),
  'icmpv6.type': h => h.icmpv6?.type,
  'icmpv6.code': h => h.icmpv6?.code,
  'icmpv6.checksum': h => h.icmpv6?.checksum,
  'icmpv6.checksum.status': h => verdict(h.icmpv6?.checksumStatus),
  'vxlan.vni': h => h.vxlan?.networkIdentifier,
  'gre.proto': h => h.gre?.protocolType,
  'gre.key': h => h.gre?.key,
  'gre.sequence_number': h => h.gre?.sequenceNumber,
  'gre.checksum.status': h => (h.gre?.checksumPresent ? verdict(h.gre.checksumStatus) : undefined),
}

const reader = new HeaderReader()

/** The values that the reader has for each of tshark's columns. */
export function saidAs(frame: Uint8Array): Record<string, string[]> {
  return withPacket(frame, packet => {
    const levels: Record<string, string[]> = Object.fromEntries(Object.keys(columns).map(name => [name, []]))
    for (let at: HeaderReader | undefined = reader.of(packet); at; at = at.inner)
      for (const [name, column] of Object.entries(columns))
        for (const value of [column(at)].flat()) if (value !== undefined) levels[name].push(String(value))
    return levels
  })
}
