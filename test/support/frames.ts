// Whole frames of real protocols, for tests of what looks into them.

/** A UDP frame over IPv4, 60 bytes, from 10.0.0.1 to 10.0.0.2, or back where the first port is the larger. */
export function udp(from: number, to: number): Uint8Array {
  const frame = new Uint8Array(60)
  frame.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0], 0)
  frame.set(
    [0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, from > to ? 2 : 1, 10, 0, 0, from > to ? 1 : 2],
    14,
  )
  frame.set([from >> 8, from & 255, to >> 8, to & 255, 0, 26], 34)
  return frame
}
