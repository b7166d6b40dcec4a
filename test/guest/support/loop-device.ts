// The smallest virtio-net device there can be, for tests of the guest alone: it reads and writes the guest's memory
// through the raw accessors and gives every transmitted frame back, unless the test does something else with it.
// Split ring, virtio 1.2 §2.7; no notifications.
import type { AddonGuest } from '../../../src/addon/guest.js'
import { LAYOUT_FIELDS } from '../../../src/addon/guest.js'
import { native } from '../../../src/addon/native.js'

const NEXT = 1
const INDIRECT = 4

interface Ring {
  descriptors: number
  available: number
  used: number
  next: number
}

interface Chain {
  head: number
  pieces: { offset: number; length: number }[]
}

export class LoopDevice {
  readonly #guest: AddonGuest = native()
  readonly #handle: number
  readonly #size: number
  readonly #headerBytes: number
  readonly #base: number
  readonly #rings: [toGuest: Ring, fromGuest: Ring]

  constructor(handle: number, queueSize: number, headerBytes: number) {
    this.#handle = handle
    this.#size = queueSize
    this.#headerBytes = headerBytes
    const layout = new Float64Array(LAYOUT_FIELDS)
    this.#guest.guestLayout(handle, layout)
    this.#base = layout[1]
    const ring = (at: number) => ({
      descriptors: layout[at],
      available: layout[at + 1],
      used: layout[at + 2],
      next: 0,
    })
    this.#rings = [ring(2), ring(10)]
  }

  /** Takes what the guest has sent, header cut off. */
  take(): Uint8Array[] {
    const frames: Uint8Array[] = []
    for (let chain = this.#pop(1); chain; chain = this.#pop(1)) {
      frames.push(Buffer.concat(chain.pieces.map(({ offset, length }) => this.#read(offset, length))))
      this.#complete(1, [{ id: chain.head, length: 0 }])
    }
    return frames.map(frame => frame.subarray(this.#headerBytes))
  }

  /** Gives the guest a frame over as many buffers as it takes; false if it posted too few. */
  give(frame: Uint8Array, header = new Uint8Array(this.#headerBytes)): boolean {
    const chains: Chain[] = []
    let left = frame.length + this.#headerBytes
    for (let chain: Chain | undefined; left > 0; chains.push(chain)) {
      chain = this.#pop(0)
      if (!chain) {
        this.#rings[0].next -= chains.length
        return false
      }
      left -= chain.pieces.reduce((sum, piece) => sum + piece.length, 0)
    }
    const bytes = Uint8Array.of(...header, ...frame)
    if (header.length === 12) bytes[10] = chains.length
    let at = 0
    const used = chains.map(({ head, pieces }) => {
      const before = at
      for (const { offset, length } of pieces) {
        this.#guest.guestWrite(this.#handle, offset, bytes.subarray(at, at + length))
        at = Math.min(at + length, bytes.length)
      }
      return { id: head, length: at - before }
    })
    this.#complete(0, used)
    return true
  }

  /** Writes used elements as they are, right or wrong, and shows them to the guest. */
  #complete(ring: 0 | 1, elements: { id: number; length: number }[]): void {
    const { used } = this.#rings[ring]
    let index = this.#u16(used + 2)
    for (const { id, length } of elements) {
      const element = new Uint8Array(Uint32Array.of(id, length).buffer)
      this.#guest.guestWrite(this.#handle, used + 4 + 8 * (index & (this.#size - 1)), element)
      index = (index + 1) & 0xffff
    }
    this.#guest.guestWrite(this.#handle, used + 2, new Uint8Array(Uint16Array.of(index).buffer))
  }

  complete(ring: 0 | 1, id: number, length: number): void {
    this.#complete(ring, [{ id, length }])
  }

  #pop(which: 0 | 1): Chain | undefined {
    const ring = this.#rings[which]
    if (this.#u16(ring.available + 2) === (ring.next & 0xffff)) return undefined
    const head = this.#u16(ring.available + 4 + 2 * (ring.next++ & (this.#size - 1)))
    return { head, pieces: this.#walk(ring.descriptors, head) }
  }

  #walk(table: number, first: number): { offset: number; length: number }[] {
    const pieces = []
    for (let n: number | undefined = first; n !== undefined; ) {
      const bytes = this.#read(table + 16 * n, 16)
      const view = new DataView(bytes.buffer)
      const offset = Number(view.getBigUint64(0, true)) - this.#base
      const flags = view.getUint16(12, true)
      if (flags & INDIRECT) return this.#walk(offset, 0)
      pieces.push({ offset, length: view.getUint32(8, true) })
      n = flags & NEXT ? view.getUint16(14, true) : undefined
    }
    return pieces
  }

  #read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    this.#guest.guestRead(this.#handle, offset, bytes)
    return bytes
  }

  #u16(offset: number): number {
    const bytes = this.#read(offset, 2)
    return bytes[0] | (bytes[1] << 8)
  }
}
