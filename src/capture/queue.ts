// The queue of items to write, oldest first. An item is a chunk of packets, whose memory is reused, or a small block
// between chunks. The queue does one write at a time. After a failed write all items are lost until the next file
// begins.
import { CHUNK_BYTES, Chunk } from './chunk.js'
import type { Output } from './output.js'

/** Minimum number of chunks: one is written while the other is filled. */
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
  /** The file or stream failed. Nothing more is written to it. */
  failed(error: Error): void
  /** The packets of this chunk are lost, because the file failed. */
  lost(chunk: Chunk): void
  /** At least one chunk has become free. */
  freed(): void
  /** The queue is empty, and no write is in progress. */
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

  /** Whether the queue is empty and no write is in progress. */
  get idle(): boolean {
    return !this.#busy && this.#items.length === 0
  }

  push(item: Item): void {
    this.#items.push(item)
    if (!this.#busy) void this.#work()
  }

  /** Returns an empty chunk, or `undefined` if all chunks are in use. */
  take(): Chunk | undefined {
    const chunk = this.#free.pop()
    if (chunk !== undefined || this.#made === this.#most) return chunk
    this.#made++
    return new Chunk()
  }

  /** Removes the oldest chunk from the queue and returns it. The caller drops the chunk's packets. */
  takeOldest(): Chunk | undefined {
    const index = this.#items.findIndex(item => item.what === 'packets')
    if (index < 0) return undefined
    const [item] = this.#items.splice(index, 1)
    return (item as { chunk: Chunk }).chunk
  }

  /**
   * Removes the last item if it is a close. Returns false if the last item is something else, or the close has started.
   */
  undoClose(): boolean {
    if (this.#items.at(-1)?.what !== 'close') return false
    this.#items.pop()
    return true
  }

  async #work(): Promise<void> {
    this.#busy = true
    for (let item = this.#items.shift(); item !== undefined; item = this.#items.shift()) {
      const chunks = item.what === 'packets' ? this.#batch(item.chunk) : []
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

  // Takes the chunks that follow `first` in the queue, to write them together with `first`. This is faster, because
  // even a small write takes a turn of the event loop. Takes at most half of all chunks, so that the others can be
  // filled during the write.
  #batch(first: Chunk): Chunk[] {
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
