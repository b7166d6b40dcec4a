// A split ring in a hostile guest's memory, written field by field: whatever a driver must not do, this can do.
// (virtio 1.2, 2.7.) It checks nothing and remembers only its own available index.
import { readSync, writeSync } from 'node:fs'
import { native } from '../../../src/addon/native.js'
import type { RingAddresses } from '../../../src/guest/wire.js'
import type { HostileMemory } from './memory.js'

export const NEXT = 1
export const WRITE = 2
export const INDIRECT = 4

export interface Descriptor {
  /** Guest-physical; an offset into the memory if it is a number. */
  at: bigint | number
  length: number
  flags?: number
  next?: number
}

export interface UsedEntry {
  id: number
  length: number
}

/** How much room a ring takes, all parts of it. */
export const ringBytes = (size: number): number => 26 * size + 256
const align = (value: number, to: number): number => Math.ceil(value / to) * to

function eventfd(): number {
  const token = native().rawEventfd()
  if (token < 0) throw new Error(`no eventfd: ${token}`)
  return token
}

export class HostileRing {
  readonly kickFd = eventfd()
  readonly callFd = eventfd()
  readonly errorFd = eventfd()
  /** The available index as last published. */
  available = 0
  descriptorsAt: number
  availableAt: number
  usedAt: number

  constructor(
    readonly memory: HostileMemory,
    readonly index: number,
    public size: number,
    at: number,
  ) {
    this.descriptorsAt = at
    this.availableAt = at + 16 * size
    this.usedAt = align(this.availableAt + 6 + 2 * size, 64)
  }

  close(): void {
    for (const token of [this.kickFd, this.callFd, this.errorFd]) native().closeFd(token)
  }

  /** As a driver finds it that has just been loaded. */
  clear(): void {
    this.available = 0
    this.memory.zero(this.descriptorsAt, 16 * this.size)
    this.memory.zero(this.availableAt, 6 + 2 * this.size)
    this.memory.zero(this.usedAt, 6 + 8 * this.size)
  }

  get addresses(): RingAddresses {
    const { memory } = this
    return {
      descriptors: memory.user(this.descriptorsAt),
      available: memory.user(this.availableAt),
      used: memory.user(this.usedAt),
    }
  }

  descriptor(index: number, descriptor: Descriptor): void {
    this.memory.write(this.descriptorsAt + 16 * index, this.#encode([descriptor]))
  }

  /** Descriptors `first`, `first + 1`, … linked into one chain. */
  chain(first: number, descriptors: Descriptor[]): void {
    this.memory.write(this.descriptorsAt + 16 * first, this.#encode(linked(descriptors, first)))
  }

  /** An indirect table at an offset into the memory, its entries linked; `raw` leaves flags and next as given. */
  table(at: number, entries: Descriptor[], raw = false): void {
    this.memory.write(at, this.#encode(raw ? entries : linked(entries, 0)))
  }

  /** Makes heads available; returns the new index. */
  offer(...heads: number[]): number {
    for (const head of heads) this.memory.u16(this.availableAt + 4 + 2 * (this.available++ % this.size), head)
    this.publish(this.available)
    return this.available
  }

  publish(index: number): void {
    this.available = index & 0xffff
    this.memory.u16(this.availableAt + 2, index)
  }

  kick(): void {
    writeSync(native().rawNumber(this.kickFd), new BigUint64Array([1n]))
  }

  /** Takes the counter of one of its eventfds; 0 if it was not signalled. */
  take(token: number): number {
    const count = new BigUint64Array(1)
    try {
      readSync(native().rawNumber(token), count)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0
      throw error
    }
    return Number(count[0])
  }

  get usedIndex(): number {
    return this.memory.read(this.usedAt + 2, 2).readUInt16LE()
  }

  used(position: number): UsedEntry {
    const entry = this.memory.read(this.usedAt + 4 + 8 * (position % this.size), 8)
    return { id: entry.readUInt32LE(0), length: entry.readUInt32LE(4) }
  }

  #encode(descriptors: Descriptor[]): Uint8Array {
    const bytes = Buffer.alloc(16 * descriptors.length)
    descriptors.forEach(({ at, length, flags = 0, next = 0 }, n) => {
      bytes.writeBigUInt64LE(typeof at === 'number' ? this.memory.guest(at) : at, 16 * n)
      bytes.writeUInt32LE(length >>> 0, 16 * n + 8)
      bytes.writeUInt16LE(flags, 16 * n + 12)
      bytes.writeUInt16LE(next, 16 * n + 14)
    })
    return bytes
  }
}

const linked = (descriptors: Descriptor[], first: number): Descriptor[] =>
  descriptors.map((descriptor, n) =>
    n === descriptors.length - 1
      ? descriptor
      : { ...descriptor, flags: (descriptor.flags ?? 0) | NEXT, next: first + n + 1 },
  )
