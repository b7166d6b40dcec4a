// Copies bytes between two views without an allocation: on Node 20 Buffer.copy makes a view per call, which would be an object
// per packet. Words are read and written in little-endian order, so that most processors need not swap bytes.

/** Copies `length` bytes from offset `at` of `from` to `offset` of `to`. */
export function copyBytes(from: DataView, at: number, to: DataView, offset: number, length: number): void {
  const whole = length & ~15
  let i = 0
  for (; i < whole; i += 16) {
    to.setInt32(offset + i, from.getInt32(at + i, true), true)
    to.setInt32(offset + i + 4, from.getInt32(at + i + 4, true), true)
    to.setInt32(offset + i + 8, from.getInt32(at + i + 8, true), true)
    to.setInt32(offset + i + 12, from.getInt32(at + i + 12, true), true)
  }
  for (; i < (length & ~3); i += 4) to.setInt32(offset + i, from.getInt32(at + i, true), true)
  for (; i < length; i++) to.setUint8(offset + i, from.getUint8(at + i))
}
