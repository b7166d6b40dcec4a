// A hostile guest's memory: a memfd that this side never maps, so that nothing it does to the file can hurt the test
// itself. Reads and writes go through the file; offsets count from the first shared byte. A page before and a page
// after what is shared are canaries: no one but the test has any business there.
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'
import { native } from '../../../src/addon/native.js'
import type { Region } from '../../../src/guest/wire.js'

export const PAGE = 4096
export const GUEST = 0x1000_0000n
export const USER = 0x7f00_0000_0000n
const CANARY = 0xa5

function fileOf(path: string, length: number): number {
  const fd = openSync(path, 'w+')
  ftruncateSync(fd, length)
  const token = native().rawAdopt(fd)
  closeSync(fd)
  return token
}

export class HostileMemory {
  readonly size: number
  readonly token: number
  readonly fd: number
  #truncated = false

  /** `path`: in this file, which is made, and not in a memfd. */
  constructor(size = 64 * PAGE, path?: string) {
    this.size = size
    this.token = path === undefined ? native().rawMemory(size + 2 * PAGE) : fileOf(path, size + 2 * PAGE)
    this.fd = native().rawNumber(this.token)
    for (const at of [-PAGE, size]) this.write(at, new Uint8Array(PAGE).fill(CANARY))
  }

  close(): void {
    native().closeFd(this.token)
  }

  guest = (offset: number): bigint => GUEST + BigInt(offset)
  user = (offset: number): bigint => USER + BigInt(offset)

  /** A row of the memory table for a part of it; all of it by default. */
  region(offset = 0, size = this.size): Region {
    return {
      guestAddress: this.guest(offset),
      size: BigInt(size),
      userAddress: this.user(offset),
      offset: BigInt(PAGE + offset),
    }
  }

  write(offset: number, bytes: Uint8Array): void {
    writeSync(this.fd, bytes, 0, bytes.length, PAGE + offset)
  }

  read(offset: number, length: number): Buffer {
    const bytes = Buffer.alloc(length)
    readSync(this.fd, bytes, 0, length, PAGE + offset)
    return bytes
  }

  u16(offset: number, value: number): void {
    this.write(offset, Uint8Array.of(value & 0xff, (value >> 8) & 0xff))
  }

  zero(offset: number, length: number): void {
    this.write(offset, new Uint8Array(length))
  }

  /** Only the first `length` bytes of what is shared are left of the file, and no canary behind it. */
  truncate(length: number): void {
    ftruncateSync(this.fd, PAGE + length)
    this.#truncated = true
  }

  /** As long as before, all zeroes where it was cut. */
  restore(): void {
    ftruncateSync(this.fd, PAGE + this.size + PAGE)
    this.write(this.size, new Uint8Array(PAGE).fill(CANARY))
    this.#truncated = false
  }

  canariesIntact(): boolean {
    return (this.#truncated ? [-PAGE] : [-PAGE, this.size]).every(at =>
      this.read(at, PAGE).every(byte => byte === CANARY),
    )
  }
}
