// Copies packets into chunks, and queues these for writing: begins and ends files (rotation), writes the blocks around the
// packets (headers, statistics), and applies `overflow` when no chunk is free. Packets are copied at once, so no lease is
// taken, except with `block`. writer.ts begins and ends the capture.
import { SLOT_LENGTH, SLOT_SHIFT, type Slots } from '../packet/packet.js'
import type { Overflow } from '../packet/sink.js'
import { blockBytes, type Chunk } from './chunk.js'
import { type CaptureClock, secondsBetween } from './clock.js'
import { Held } from './held.js'
import { type CaptureInterface, type CapturePort, describe, headOf, tailOf } from './interfaces.js'
import type { Rotation } from './options.js'
import { STATISTICS_BYTES, type Timestamp } from './pcapng.js'
import type { WriteQueue } from './queue.js'

/** Milliseconds after which a chunk that is not full is written. */
const FLUSH_MS = 100

export class Recorder {
  readonly interfaces: CaptureInterface[] = []
  readonly drops: Record<string, number> = { overflow: 0, failed: 0 }
  /** A file has begun and not ended, by the items that were pushed. */
  open = false
  readonly #queue: WriteQueue
  readonly #clock: CaptureClock
  readonly #began: Timestamp
  readonly #overflow: Overflow
  readonly #rotate: Rotation | undefined
  readonly #held = new Held<CapturePort>()
  #chunk: Chunk | undefined
  /** Of the current file: bytes that it may still get, whether it has packets, when it began. */
  #left = Infinity
  #hasPackets = false
  #fileBegan: Timestamp
  #timer: NodeJS.Timeout | undefined

  constructor(queue: WriteQueue, clock: CaptureClock, overflow: Overflow, rotate: Rotation | undefined) {
    this.#queue = queue
    this.#clock = clock
    this.#began = this.#fileBegan = clock.snapshot()
    this.#overflow = overflow
    this.#rotate = rotate
  }

  /** Packets under lease, for want of room. */
  get held(): number {
    return this.#held.length
  }

  /** Adds an interface, and its description to the file. */
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

  /** Ends the file, with the statistics so far. */
  end(): void {
    this.#submit()
    this.open = false
    this.#clock.read()
    this.#queue.push({ what: 'close', bytes: tailOf(this.interfaces, this.#began, this.#clock) })
  }

  /** Captures the first `count` packets of `ids`, out of `received`. False: there is no room, and `overflow` is `strict`. */
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

  /** A chunk is free: packets under lease are copied first. True: none is left. */
  goOn(): boolean {
    for (let list = this.#held.first; list !== undefined; list = this.#held.first) {
      const { slots, ids, port, time, next } = list
      const done = this.#encode(port, slots, ids, next, ids.length, time)
      this.#held.releaseBefore(list, done)
      if (done < ids.length) return false
    }
    return true
  }

  /** The packets of a chunk will be in no file. */
  lost(chunk: Chunk, reason: 'overflow' | 'failed'): void {
    chunk.packets.forEach((count, id) => {
      this.#drop(this.interfaces[id], reason, count)
    })
  }

  // Copies packets into chunks. Returns the index of the first for which there was no chunk, or `to`.
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
      this.#turnOver()
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
    if (bytes > this.#left && this.#hasPackets) this.#turnOver()
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

  #turnOver(): void {
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

  // During a write a partly filled chunk would have to wait, so it is rather filled meanwhile.
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
