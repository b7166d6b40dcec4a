// What the tests read captures with: a list of blocks, read without the library's own reader. And a stream that they drive.
import { Writable } from 'node:stream'

export interface Block {
  type: number
  body: Buffer
  options: Map<number, Buffer>
}

/** Bytes of fixed fields behind the first two words, by type; a packet's data come on top. */
const FIXED: Record<number, number> = { 168627466: 16, 1: 8, 5: 12, 6: 20 }

export function blocksOf(file: Buffer): Block[] {
  const blocks: Block[] = []
  for (let at = 0; at < file.length; ) {
    const [type, length] = [file.readUInt32LE(at), file.readUInt32LE(at + 4)]
    if (length % 4 !== 0 || file.readUInt32LE(at + length - 4) !== length)
      throw new Error(`a bad block at ${at}`)
    const body = file.subarray(at + 8, at + length - 4)
    const data = type === 6 ? (body.readUInt32LE(12) + 3) & ~3 : 0
    const options = new Map<number, Buffer>()
    for (let o = FIXED[type] + data; o < body.length; ) {
      const [code, size] = [body.readUInt16LE(o), body.readUInt16LE(o + 2)]
      options.set(code, body.subarray(o + 4, o + 4 + size))
      o += 4 + ((size + 3) & ~3)
    }
    blocks.push({ type, body, options })
    at += length
  }
  return blocks
}

/** The packets among them. */
export const packetsOf = (file: Buffer) =>
  blocksOf(file)
    .filter(({ type }) => type === 6)
    .map(({ body, options }) => ({
      interface: body.readUInt32LE(0),
      time: (BigInt(body.readUInt32LE(4)) << 32n) | BigInt(body.readUInt32LE(8)),
      original: body.readUInt32LE(16),
      bytes: Buffer.from(body.subarray(20, 20 + body.readUInt32LE(12))),
      flags: options.get(2)?.readUInt32LE(0),
    }))

export const interfacesOf = (file: Buffer) =>
  blocksOf(file)
    .filter(({ type }) => type === 1)
    .map(({ body, options }) => ({
      name: options.get(2)?.toString(),
      linkType: body.readUInt16LE(0),
      snaplen: body.readUInt32LE(4),
      resolution: options.get(9)?.[0],
    }))

export const statisticsOf = (file: Buffer) =>
  blocksOf(file)
    .filter(({ type }) => type === 5)
    .map(({ body, options }) => {
      const count = (code: number): number => Number(options.get(code)?.readBigUInt64LE(0))
      return {
        interface: body.readUInt32LE(0),
        received: count(4),
        dropped: count(5),
        accepted: count(6),
        delivered: count(8),
      }
    })

/** A stream that takes nothing until it is told to. */
export class SlowStream extends Writable {
  readonly taken: Buffer[] = []
  #open = false
  #waiting: (() => void) | null = null

  constructor() {
    super({ highWaterMark: 1 })
  }

  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.taken.push(chunk)
    if (this.#open) done()
    else this.#waiting = done
  }

  /** Takes all, from now on. */
  flow(): void {
    this.#open = true
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.()
  }

  get bytes(): Buffer {
    return Buffer.concat(this.taken)
  }
}
