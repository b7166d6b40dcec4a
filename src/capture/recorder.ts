// Copies packets into chunks and queues the chunks for writing. It begins and ends files (rotation), queues the blocks
// without packets (headers, statistics), and applies `overflow` when no chunk is free. Packets are copied at once, so
// it takes no leases, except with `block`. writer.ts begins and ends the capture.
import { SLOT_LENGTH, SLOT_SHIFT, type Slots } from '../packet/packet.js'
import type { Overflow } from '../packet/sink.js'
import { blockBytes, type Chunk } from './chunk.js'
import { type CaptureClock, secondsBetween } from './clock.js'
import { Held } from './held.js'
import { type CaptureInterface, type CapturePort, describe, headOf, tailOf } from './interfaces.js'
import type { Rotation } from './options.js'
import { STATISTICS_BYTES, type Timestamp } from './pcapng.js'
import type { WriteQueue } from './queue.js'

/** Milliseconds after which a partly filled chunk is written. */
const FLUSH_MS = 100

export class Recorder {
  readonly interfaces: CaptureInterface[] = []
  readonly drops: Record<string, number> = { overflow: 0, failed: 0 }
  /** Whether a file is open, if the open and close items in the write queue are counted as done. */
  open = false
  readonly #queue: WriteQueue
  readonly #clock: CaptureClock
  readonly #began: Timestamp
  readonly #overflow: Overflow
  readonly #rotate: Rotation | undefined
  readonly #held = new Held<CapturePort>()
  #chunk: Chunk | undefined
  /** Number of bytes that can still be added to the current file. */
  #left = Infinity
  /** Whether the current file has packets. */
  #hasPackets = false
  /** When the current file began. */
  #fileBegan: Timestamp
  #timer: NodeJS.Timeout | undefined

  constructor(queue: WriteQueue, clock: CaptureClock, overflow: Overflow, rotate: Rotation | undefined) {
    this.#queue = queue
    this.#clock = clock
    this.#began = this.#fileBegan = clock.snapshot()
    this.#overflow = overflow
    this.#rotate = rotate
  }

  /** Number of packets under lease, because no chunk was free. */
  get held(): number {
    return this.#held.length
  }

  /** Adds an interface. If a file is open, adds the interface's description to the file. */
  add(made: CaptureInterface): void {
    this.interfaces.push(made)
    if (!this.open) return
    this.#submit()
    const bytes = describe(made)
    this.#left -= bytes.length + STATISTICS_BYTES
    this.#queue.push({ what: 'blocks', bytes })
  }

  /** Begins a file. */
  begin(): void {
    this.open = true
    this.#clock.follow()
    this.#clock.read()
    const bytes = headOf(this.interfaces)
    this.#fileBegan = this.#clock.snapshot()
    this.#hasPackets = false
    this.#left = (this.#rotate?.bytes ?? Infinity) - bytes.length - STATISTICS_BYTES * this.interfaces.length
    this.#queue.push({ what: 'open', bytes })
  }

  /** Ends the file with the statistics of the capture until now. */
  end(): void {
    this.#submit()
    this.open = false
    this.#clock.read()
    this.#queue.push({ what: 'close', bytes: tailOf(this.interfaces, this.#began, this.#clock) })
  }

  /**
   * Captures the first `count` packets of `ids`. `received` is the number of packets before filtering. Returns false if
   * the buffer is full and `overflow` is `strict`.
   */
  put(port: CapturePort, slots: Slots, ids: Uint32Array, count: number, received: number): boolean {
    const { to } = port
    to.received += received
    to.accepted += count
    if (count === 0) return true
    this.#clock.read()
    if (this.#queue.failed && this.#rotate === undefined) return this.#drop(to, 'failed', count)
    const done = this.#held.length > 0 ? 0 : this.#encode(port, slots, ids, 0, count, this.#clock)
    if (done === count) return true
    if (this.#overflow === 'block') {
      this.#held.push(slots, ids, done, count, port, this.#clock.snapshot())
      return true
    }
    this.#drop(to, 'overflow', count - done)
    return this.#overflow !== 'strict'
  }

  /** Copies packets under lease into free chunks. Returns true if no packet under lease is left. */
  copyHeld(): boolean {
    for (let list = this.#held.first; list !== undefined; list = this.#held.first) {
      const { slots, ids, port, time, next } = list
      const done = this.#encode(port, slots, ids, next, ids.length, time)
      this.#held.releaseBefore(list, done)
      if (done < ids.length) return false
    }
    return true
  }

  /** Counts the packets of a chunk as dropped. */
  lost(chunk: Chunk, reason: 'overflow' | 'failed'): void {
    chunk.packets.forEach((count, id) => {
      this.#drop(this.interfaces[id], reason, count)
    })
  }

  // Copies packets into chunks. Returns the index of the first packet that did not fit, or `to` if all were copied.
  #encode(
    port: CapturePort,
    slots: Slots,
    ids: Uint32Array,
    from: number,
    to: number,
    time: Timestamp,
  ): number {
    const { id, snaplen } = port.to
    const { meta } = slots
    if (this.#hasPackets && secondsBetween(this.#fileBegan, time) >= (this.#rotate?.seconds ?? Infinity))
      this.#rotateFile()
    let chunk = this.#chunk
    let counted = from
    let i = from
    for (; i < to; i++) {
      const captured = Math.min(meta[(ids[i] << SLOT_SHIFT) + SLOT_LENGTH], snaplen)
      const bytes = blockBytes(captured)
      if (chunk === undefined || bytes > chunk.left || bytes > this.#left) {
        chunk?.count(id, i - counted)
        counted = i
        chunk = this.#roomFor(bytes)
        if (chunk === undefined) break
      }
      chunk.add(slots, ids[i], captured, id, port.flags, time)
      this.#left -= bytes
      this.#hasPackets = true
    }
    chunk?.count(id, i - counted)
    if (chunk !== undefined) this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS)
    return i
  }

  #roomFor(bytes: number): Chunk | undefined {
    if (bytes > this.#left && this.#hasPackets) this.#rotateFile()
    if (this.#chunk !== undefined && bytes > this.#chunk.left) this.#submit()
    this.#chunk ??= this.#queue.take() ?? this.#oldest()
    return this.#chunk
  }

  #oldest(): Chunk | undefined {
    const chunk = this.#overflow === 'drop-oldest' ? this.#queue.takeOldest() : undefined
    if (chunk === undefined) return undefined
    this.lost(chunk, 'overflow')
    chunk.empty()
    return chunk
  }

  #rotateFile(): void {
    this.end()
    this.begin()
  }

  #submit(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const chunk = this.#chunk
    if (chunk === undefined || chunk.length === 0) return
    this.#chunk = undefined
    this.#clock.follow()
    this.#queue.push({ what: 'packets', chunk })
  }

  // Queues the partly filled chunk, unless a write is in progress. During a write the chunk would have to wait anyway,
  // so it can be filled further.
  #flush(): void {
    this.#timer = undefined
    if (this.#queue.idle) this.#submit()
    else this.#timer = setTimeout(() => this.#flush(), FLUSH_MS)
  }

  #drop(from: CaptureInterface, reason: 'overflow' | 'failed', count: number): true {
    from.dropped += count
    this.drops[reason] += count
    return true
  }
}
