// The frames that the generator sends, with the layout of bench/dpdk/frame.h, and the checks of the back end on them.
import type { Burst, HeldBurst, Packet } from '../../src/index.js'

export const FRAME_NUMBER = 44
export const FRAME_MIN = 60
export const FRAME_MAX = 1518
/** In a timed slice, one of CHECK_EVERY frames is checked. */
export const CHECK_EVERY = 64

const PATTERN = 48
const PROTOCOL = 23
const SOURCE = 26
const DESTINATION = 30
const SOURCE_PORT = 34
const DESTINATION_PORT = 36
const UDP = 17

/** Returns true for the 5-tuple that filter-forward passes. The other half of the frames has another source port. */
export const matches = (packet: Packet): boolean =>
  packet.uint8(PROTOCOL) === UDP &&
  packet.uint32(SOURCE) === 0x0a000001 &&
  packet.uint32(DESTINATION) === 0x0a000002 &&
  packet.uint16(SOURCE_PORT) === 1000 &&
  packet.uint16(DESTINATION_PORT) === 2000

/** Returns true for half of the numbers, in an order that a branch predictor can't learn. */
const passes = (number: number): boolean => Math.imul(number, 0x9e3779b1) >>> 31 === 1

/** Counts wrong frames. The expected frames are numbered from 0. */
export class FrameCheck {
  bad = 0
  #seen = 0
  readonly #size: number
  readonly #all: boolean
  readonly #expected: Buffer

  constructor(size: number, all: boolean) {
    this.#size = size
    this.#all = all
    this.#expected = makeFrame(size)
  }

  burst(burst: Burst | HeldBurst): void {
    const { length } = burst
    let at = 0
    for (;;) {
      const ahead = Math.min(this.#ahead, length - at)
      this.#seen += ahead
      at += ahead
      if (at === length) return
      this.#look(burst.packet(at++))
    }
  }

  packet(packet: Packet): void {
    if (this.#ahead === 0) this.#look(packet)
    else this.#seen++
  }

  /** Number of frames that are not checked before the next checked frame. */
  get #ahead(): number {
    return this.#all ? 0 : -this.#seen & (CHECK_EVERY - 1)
  }

  #look(packet: Packet): void {
    const number = this.#seen++ >>> 0
    if (packet.length !== this.#size || packet.uint32(FRAME_NUMBER) !== number) this.bad++
    else if (this.#all && !packet.equals(this.#numbered(number))) this.bad++
  }

  #numbered(number: number): Buffer {
    this.#expected.writeUInt16BE(passes(number) ? 1000 : 1001, SOURCE_PORT)
    this.#expected.writeUInt32BE(number, FRAME_NUMBER)
    return this.#expected
  }
}

function makeFrame(size: number): Buffer {
  const frame = Buffer.alloc(size)
  frame.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, UDP])
  frame.writeUInt16BE(size - 14, 16)
  frame.writeUInt32BE(0x0a000001, SOURCE)
  frame.writeUInt32BE(0x0a000002, DESTINATION)
  let sum = 0
  for (let at = 14; at < 34; at += 2) sum += frame.readUInt16BE(at)
  while (sum >>> 16) sum = (sum & 0xffff) + (sum >>> 16)
  frame.writeUInt16BE(~sum & 0xffff, 24)
  frame.writeUInt16BE(2000, DESTINATION_PORT)
  frame.writeUInt16BE(size - 34, 38)
  for (let at = PATTERN; at < size; at++) frame[at] = (at * 31 + 7) & 0xff
  return frame
}
