// Frames and buffers for both rings of a hostile front end.
import type { HostileFrontEnd } from './front-end.js'
import type { Descriptor } from './ring.js'
import { WRITE } from './ring.js'

/** Bytes of a virtio-net header with VERSION_1. */
export const HEADER = 12

/** An Ethernet frame whose bytes say which one it is. */
export function frameOf(number: number, length = 60): Uint8Array {
  const frame = new Uint8Array(length).fill(number & 0xff, 14)
  frame.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5])
  new DataView(frame.buffer).setUint32(14, number)
  return frame
}

/** Writes a header and a frame at an offset of the memory; a descriptor for both. */
export function place(
  front: HostileFrontEnd,
  at: number,
  frame: Uint8Array,
  header = new Uint8Array(HEADER),
): Descriptor {
  front.memory.write(at, header)
  front.memory.write(at + header.length, frame)
  return { at, length: header.length + frame.length }
}

/** A buffer for the back end to write. */
export const room = (at: number, length = 2048): Descriptor => ({ at, length, flags: WRITE })

/** Sends one good frame by the last descriptor of ring 1, from the end of the memory. */
export function sendGood(front: HostileFrontEnd, number: number): void {
  const [, ring] = front.rings
  const head = ring.size - 1
  ring.descriptor(head, place(front, front.memory.size - 4096, frameOf(number)))
  ring.offer(head)
  ring.kick()
}

/** Posts one good buffer by the last descriptor of ring 0, at the end of the memory. */
export function postGood(front: HostileFrontEnd): number {
  const [ring] = front.rings
  const head = ring.size - 1
  const at = front.memory.size - 8192
  ring.descriptor(head, room(at))
  ring.offer(head)
  ring.kick()
  return at
}
