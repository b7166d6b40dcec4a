// The items that wait to be written, oldest first: chunks of packets, whose memory is used again, and the small blocks
// between them. There is one write at a time; after one that fails, all items are lost until the next file.
import { CHUNK_BYTES, Chunk } from './chunk.js'
import type { Output } from './output.js'

/** One chunk is written while the other is filled. */
const FEWEST_CHUNKS = 2

export type Item =
  | { what: 'open'; bytes: Buffer }
  | { what: 'blocks'; bytes: Buffer }
  | { what: 'packets'; chunk: Chunk }
  | { what: 'close'; bytes: Buffer }

const filled = ({ bytes, length }: Chunk): Uint8Array => bytes.subarray(0, length)

export interface WriteQueueEvents {
  opened(removed: string | undefined): void
  closed(bytes: number): void
  /** The file or stream failed; nothing more is written to it. */
  failed(error: Error): void
  /** The packets of this chunk are in no file, because it failed. */
  lost(chunk: Chunk): void
  /** A chunk is free again. */
  freed(): void
  /** All items are written. */
  idle(): void
}

export class WriteQueue {
  readonly #output: Output
  readonly #events: WriteQueueEvents
  readonly #most: number
  #items: Item[] = []
  #free: Chunk[] = []
  #made = 0
  #busy = false
  #opened = false
  #bytes = 0
  failed = false

  constructor(output: Output, bytes: number, events: WriteQueueEvents) {
    this.#output = output
    this.#events = events
    this.#most = Math.max(FEWEST_CHUNKS, Math.floor(bytes / CHUNK_BYTES))
  }

  /** No item is being written or waits. */
  get idle(): boolean {
    return !this.#busy && this.#items.length === 0
  }

  push(item: Item): void {
    this.#items.push(item)
    if (!this.#busy) void this.#work()
  }

  /** An empty chunk; undefined: all are in use. */
  take(): Chunk | undefined {
    const chunk = this.#free.pop()
    if (chunk !== undefined || this.#made === this.#most) return chunk
    this.#made++
    return new Chunk()
  }

  /** Takes the oldest chunk out of the queue; its packets are dropped. */
  takeOldest(): Chunk | undefined {
    const index = this.#items.findIndex(item => item.what === 'packets')
    if (index < 0) return undefined
    const [item] = this.#items.splice(index, 1)
    return (item as { chunk: Chunk }).chunk
  }

  /** Removes a close that is the last item. False: there is none, or it has been done. */
  undoClose(): boolean {
    if (this.#items.at(-1)?.what !== 'close') return false
    this.#items.pop()
    return true
  }

  async #work(): Promise<void> {
    this.#busy = true
    for (let item = this.#items.shift(); item !== undefined; item = this.#items.shift()) {
      const chunks = item.what === 'packets' ? this.#together(item.chunk) : []
      try {
        if (item.what === 'open') await this.#open()
        if (!this.failed) await this.#write(item.what === 'packets' ? chunks.map(filled) : [item.bytes])
        else for (const chunk of chunks) this.#events.lost(chunk)
        if (item.what === 'close') await this.#close()
      } catch (error) {
        for (const chunk of chunks) this.#events.lost(chunk)
        this.#fail(error as Error)
        if (item.what === 'close') await this.#close().catch(() => {})
      }
      for (const chunk of chunks) {
        chunk.empty()
        this.#free.push(chunk)
      }
      if (chunks.length > 0) this.#events.freed()
    }
    this.#busy = false
    this.#events.idle()
  }

  // A write takes a turn of the event loop, however small it is, so chunks that wait are written together. At most half of
  // all chunks: the others are filled meanwhile.
  #together(first: Chunk): Chunk[] {
    const chunks = [first]
    for (let item = this.#items[0]; item?.what === 'packets'; item = this.#items[0]) {
      if (chunks.length >= this.#most / 2) break
      chunks.push(item.chunk)
      this.#items.shift()
    }
    return chunks
  }

  async #open(): Promise<void> {
    this.failed = this.#opened = false
    this.#bytes = 0
    const removed = await this.#output.open()
    this.#opened = true
    this.#events.opened(removed)
  }

  async #write(parts: Uint8Array[]): Promise<void> {
    await this.#output.write(parts)
    for (const { length } of parts) this.#bytes += length
  }

  #fail(error: Error): void {
    if (this.failed) return
    this.failed = true
    this.#events.failed(error)
  }

  async #close(): Promise<void> {
    await this.#output.close()
    if (this.#opened) this.#events.closed(this.#bytes)
    this.#opened = false
  }
}
