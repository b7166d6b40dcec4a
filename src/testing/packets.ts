// Packet builders for tests: whole Ethernet frames with valid lengths and checksums.
// RFC 791 (IPv4), 768 (UDP), 9293 (TCP), 1071 (checksum). Numbered frames without a protocol are in frames.ts.

/** Fields of a frame; all have defaults. */
export interface EthernetOptions {
  /** Six bytes as `02:00:00:00:00:01`. */
  source?: string
  /** Default broadcast. */
  destination?: string
  /** Default 0x88b5, for local experiments. */
  etherType?: number
  /** The payload. Default: none. */
  payload?: Uint8Array | string
}

/** Fields of an IPv4 packet, and of its frame. */
export interface Ipv4Options extends Omit<EthernetOptions, 'etherType'> {
  /** Source address. Default 10.0.0.1. */
  from?: string
  /** Destination address. Default 10.0.0.2. */
  to?: string
  /** Default 253, for experiments. */
  protocol?: number
  /** Default 64. */
  timeToLive?: number
}

/** Fields of a UDP datagram, and of its IPv4 packet and frame. */
export interface UdpOptions extends Omit<Ipv4Options, 'protocol'> {
  /** Source port. Default 1024. */
  fromPort?: number
  /** Destination port. Default 9. */
  toPort?: number
}

/** Fields of a TCP segment, and of its IPv4 packet and frame. */
export interface TcpOptions extends UdpOptions {
  /** Sequence number. Default 0. */
  sequence?: number
  /** Acknowledgment number. Default 0. */
  acknowledgement?: number
  /** Letters of `FSRPA`. Default `A`. */
  flags?: string
  /** In bytes. Default 65535. */
  window?: number
}

const ETHERNET = 14
const SHORTEST = 60
const UDP = 17
const TCP = 6

/** An Ethernet frame, padded to 60 bytes. */
export function ethernet({
  source = '02:00:00:00:00:01',
  destination = 'ff:ff:ff:ff:ff:ff',
  etherType = 0x88b5,
  payload = '',
}: EthernetOptions = {}): Buffer {
  const body = bytesOf(payload)
  const frame = Buffer.alloc(Math.max(SHORTEST, ETHERNET + body.length))
  frame.write(destination.replaceAll(':', '') + source.replaceAll(':', ''), 0, 'hex')
  frame.writeUInt16BE(etherType, 12)
  body.copy(frame, ETHERNET)
  return frame
}

/** An IPv4 packet without options, in an Ethernet frame. */
export function ipv4(options: Ipv4Options = {}): Buffer {
  const { from = '10.0.0.1', to = '10.0.0.2', protocol = 253, timeToLive = 64, payload = '' } = options
  const body = bytesOf(payload)
  const header = Buffer.alloc(20)
  header[0] = 0x45
  header.writeUInt16BE(header.length + body.length, 2)
  header[8] = timeToLive
  header[9] = protocol
  addresses(from, to).copy(header, 12)
  header.writeUInt16BE(checksum(header), 10)
  return ethernet({ ...options, etherType: 0x0800, payload: Buffer.concat([header, body]) })
}

/** A UDP datagram over IPv4. */
export function udp(options: UdpOptions = {}): Buffer {
  const { fromPort = 1024, toPort = 9, payload = '' } = options
  const body = bytesOf(payload)
  const header = Buffer.alloc(8)
  header.writeUInt16BE(fromPort, 0)
  header.writeUInt16BE(toPort, 2)
  header.writeUInt16BE(header.length + body.length, 4)
  // In UDP a checksum of zero means that there is none (RFC 768).
  header.writeUInt16BE(transportChecksum(options, UDP, header, body) || 0xffff, 6)
  return ipv4({ ...options, protocol: UDP, payload: Buffer.concat([header, body]) })
}

/** A TCP segment without options, over IPv4. */
export function tcp(options: TcpOptions = {}): Buffer {
  const { fromPort = 1024, toPort = 80, sequence = 0, acknowledgement = 0 } = options
  const { flags = 'A', window = 0xffff, payload = '' } = options
  const body = bytesOf(payload)
  const header = Buffer.alloc(20)
  header.writeUInt16BE(fromPort, 0)
  header.writeUInt16BE(toPort, 2)
  header.writeUInt32BE(sequence, 4)
  header.writeUInt32BE(acknowledgement, 8)
  header[12] = 5 << 4
  header[13] = [...flags].reduce((bits, flag) => bits | (1 << 'FSRPA'.indexOf(flag)), 0)
  header.writeUInt16BE(window, 14)
  header.writeUInt16BE(transportChecksum(options, TCP, header, body), 16)
  return ipv4({ ...options, protocol: TCP, payload: Buffer.concat([header, body]) })
}

/** Returns the Internet checksum of `bytes`; zero if they contain their own valid checksum. */
export function checksum(bytes: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i] << 8) | (bytes[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000)
  return ~sum & 0xffff
}

function transportChecksum(
  { from = '10.0.0.1', to = '10.0.0.2' }: Ipv4Options,
  protocol: number,
  header: Buffer,
  body: Buffer,
): number {
  const pseudo = Buffer.alloc(4)
  pseudo[1] = protocol
  pseudo.writeUInt16BE(header.length + body.length, 2)
  return checksum(Buffer.concat([addresses(from, to), pseudo, header, body]))
}

function addresses(from: string, to: string): Buffer {
  return Buffer.from([...from.split('.'), ...to.split('.')].map(Number))
}

function bytesOf(payload: Uint8Array | string): Buffer {
  return typeof payload === 'string' ? Buffer.from(payload) : Buffer.from(payload)
}
