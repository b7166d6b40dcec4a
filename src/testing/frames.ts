// Packet builders.

/** Makes a frame of `length` bytes with an EtherType and its number at offset 14. */
export function frame(number = 0, { length = 64, etherType = 0x0800 } = {}): Buffer {
  const bytes = Buffer.alloc(length)
  bytes.write('ffffffffffff020000000001', 0, 'hex')
  bytes.writeUInt16BE(etherType, 12)
  bytes.writeUInt32BE(number >>> 0, 14)
  return bytes
}

/** `count` numbered frames. */
export function frames(count: number, first = 0): Buffer[] {
  return Array.from({ length: count }, (_, i) => frame(first + i))
}

/** The number of a frame made by `frame`. */
export function numberOf(packet: { uint32(offset: number): number } | Buffer): number {
  return Buffer.isBuffer(packet) ? packet.readUInt32BE(14) : packet.uint32(14)
}
