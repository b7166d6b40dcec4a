// What an attacker does with its device. Each attack shapes the rings of one front end once; front-ends.ts then keeps these
// rings full, and calls `again` in each round. `target`: where the honest pipeline touches the attacker's device.
import { writeSync } from 'node:fs'
import { native } from '../../src/addon/native.js'
import type { HostileFrontEnd } from '../../test/hostile/support/front-end.js'
import { type Descriptor, INDIRECT, NEXT, WRITE } from '../../test/hostile/support/ring.js'
import { message, nothing, REQUEST, state } from '../../test/hostile/support/wire.js'

export interface Attack {
  readonly name: string
  /** Queue pairs. */
  readonly pairs: number
  /** Entries of each ring. */
  readonly size: number
  /** Bytes of memory for buffers and tables. */
  readonly buffers: number
  /** `drain`: the back end takes the attacker's packets. `mirror`: the honest packets are also sent to the attacker. */
  readonly target: 'drain' | 'mirror'
  /** Writes the descriptors. */
  prepare(front: HostileFrontEnd): void
  /** What else it does, in each round. */
  again?(front: HostileFrontEnd): void
}

const HEADER = 12
const FRAME = 60
const TABLE = 1 << 16
const LONGEST = 32768

/** The count of an eventfd that no write can raise. */
const FULL = new BigUint64Array([0xffff_ffff_ffff_fffen])
const ALMOST = new BigUint64Array([0xffff_ffff_ffff_fff0n])

/** Fills an eventfd, so that the next write to it blocks. */
function fill(fd: number): void {
  try {
    writeSync(fd, FULL)
  } catch {
    // It is full, or has a count of its own.
    try {
      writeSync(fd, ALMOST)
    } catch {}
  }
}

/** A broadcast frame without payload at this place, behind a header of zeros. */
function writeFrame({ memory }: HostileFrontEnd, at: number): void {
  const bytes = new Uint8Array(HEADER + FRAME)
  bytes.fill(0xff, HEADER, HEADER + 6)
  bytes.set([2, 0, 0, 0, 0, 1, 0x88, 0xb5], HEADER + 6)
  memory.write(at, bytes)
}

/** The same descriptor for each entry of each ring with that parity: 1 is from guest, 0 to guest. */
export function fillRings(front: HostileFrontEnd, parity: 0 | 1, descriptor: Descriptor): void {
  const { at, length, flags = 0 } = descriptor
  const place = typeof at === 'number' ? front.memory.guest(at) : at
  for (const ring of front.rings) {
    if (ring.index % 2 !== parity) continue
    const bytes = Buffer.alloc(16 * ring.size)
    for (let n = 0; n < ring.size; n++) {
      bytes.writeBigUInt64LE(place, 16 * n)
      bytes.writeUInt32LE(length, 16 * n + 8)
      bytes.writeUInt16LE(flags, 16 * n + 12)
    }
    front.memory.write(ring.descriptorsAt, bytes)
  }
}

/** One frame in one buffer. */
export function plainFrames(front: HostileFrontEnd): void {
  writeFrame(front, front.buffers)
  fillRings(front, 1, { at: front.buffers, length: HEADER + FRAME })
}

/** Receive buffers as a driver posts them. */
export function plainBuffers(front: HostileFrontEnd): void {
  fillRings(front, 0, { at: front.buffers + 4096, length: 2048, flags: WRITE })
}

/** An indirect table for all entries of all rings of that parity. */
function indirect(front: HostileFrontEnd, parity: 0 | 1, entries: Descriptor[]): void {
  front.rings[0].table(front.buffers + TABLE, entries)
  fillRings(front, parity, { at: front.buffers + TABLE, length: 16 * entries.length, flags: INDIRECT })
}

/** `count` descriptors: one with all the room that a packet needs, and others of no length. */
const longChain = (at: number, count: number, flags = 0): Descriptor[] =>
  Array.from({ length: count }, (_, n) => ({
    at,
    length: n > 0 ? 0 : flags & WRITE ? 2048 : HEADER + FRAME,
    flags,
  }))

/** `count` descriptors of one byte each. */
const tinyPieces = (at: number, count: number, flags = 0): Descriptor[] =>
  Array.from({ length: count }, (_, n) => ({ at: at + n, length: 1, flags }))

const usual = { pairs: 1, size: 256, buffers: 1 << 20, target: 'drain' } as const

/** Entries of honest rings: enough for the time between two rounds of refilling. */
export const HONEST_SIZE = 4096

/** An honest busy device, with which all attacks are compared. */
export const honestDrain: Attack = {
  ...usual,
  name: 'an honest busy device',
  size: HONEST_SIZE,
  prepare: plainFrames,
}
export const honestMirror: Attack = {
  ...usual,
  size: HONEST_SIZE,
  name: 'an honest receiver of the mirror',
  target: 'mirror',
  prepare: plainBuffers,
}

export const ATTACKS: readonly Attack[] = [
  { ...usual, name: '64 pairs of plain frames', pairs: 64, prepare: plainFrames },
  {
    ...usual,
    name: 'one pair of chains of 32,768 descriptors',
    prepare(front) {
      writeFrame(front, front.buffers)
      indirect(front, 1, longChain(front.buffers, LONGEST))
    },
  },
  {
    ...usual,
    name: '64 pairs of chains of 32,768 descriptors',
    pairs: 64,
    prepare(front) {
      writeFrame(front, front.buffers)
      indirect(front, 1, longChain(front.buffers, LONGEST))
    },
  },
  {
    ...usual,
    name: '64 pairs of chains of 1,024 descriptors',
    pairs: 64,
    prepare(front) {
      writeFrame(front, front.buffers)
      indirect(front, 1, longChain(front.buffers, 1024))
    },
  },
  {
    ...usual,
    name: '4 pairs of direct chains of 32,768 descriptors',
    pairs: 4,
    size: LONGEST,
    prepare(front) {
      writeFrame(front, front.buffers)
      for (const ring of front.rings)
        if (ring.index % 2 === 1)
          ring.table(
            ring.descriptorsAt,
            longChain(front.buffers, LONGEST).map((d, n) => ({
              ...d,
              flags: n + 1 < LONGEST ? NEXT : 0,
              next: n + 1 < LONGEST ? n + 1 : 0,
            })),
            true,
          )
    },
  },
  {
    ...usual,
    name: '128 pairs of chains of 1-byte descriptors',
    pairs: 128,
    prepare(front) {
      writeFrame(front, front.buffers)
      indirect(front, 1, tinyPieces(front.buffers, HEADER + FRAME))
    },
  },
  {
    ...usual,
    name: '64 pairs, 255 of 256 chains malformed',
    pairs: 64,
    prepare(front) {
      plainFrames(front)
      for (const ring of front.rings)
        if (ring.index % 2 === 1)
          for (let n = 1; n < ring.size; n++) ring.descriptor(n, { at: front.buffers, length: 3 })
    },
  },
  {
    ...usual,
    name: '16 pairs of 64 KiB frames',
    pairs: 16,
    prepare(front) {
      writeFrame(front, front.buffers)
      fillRings(front, 1, { at: front.buffers, length: HEADER + 65535 })
    },
  },
  {
    ...usual,
    name: '128 pairs of kicks without work',
    pairs: 128,
    prepare() {},
    again(front) {
      for (const ring of front.rings) ring.kick()
    },
  },
  {
    ...usual,
    name: 'mirror to receive buffers of 32,768 descriptors',
    target: 'mirror',
    prepare(front) {
      indirect(front, 0, longChain(front.buffers, LONGEST, WRITE))
    },
  },
  {
    ...usual,
    name: 'mirror to receive buffers of 1-byte descriptors',
    target: 'mirror',
    prepare(front) {
      indirect(front, 0, tinyPieces(front.buffers, HEADER + FRAME, WRITE))
    },
  },
  {
    ...usual,
    name: 'mirror to a guest whose call eventfd is full and blocks',
    target: 'mirror',
    prepare: plainBuffers,
    again(front) {
      for (const { callFd } of front.rings) {
        native().rawBlocking(callFd, false)
        fill(native().rawNumber(callFd))
        native().rawBlocking(callFd, true)
      }
    },
  },
  {
    ...usual,
    name: 'rings that are switched off and on',
    prepare: plainFrames,
    again(front) {
      for (const on of [0, 1]) front.trySend(message(REQUEST.SET_VRING_ENABLE, 0, state(1, on)))
    },
  },
  {
    ...usual,
    name: 'questions without end',
    prepare: plainFrames,
    again(front) {
      for (let n = 0; n < 16; n++) front.trySend(message(REQUEST.GET_FEATURES, 0, nothing))
      while (front.tryReply());
    },
  },
]
