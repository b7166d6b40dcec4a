// The gate of gate.c, from within the process that it was preloaded into: files that keep a thread waiting in mmap() or
// munmap(), for as long as a test likes.
import { closeSync, constants, fchmodSync, openSync, readSync, writeSync } from 'node:fs'
import { until } from './conditions.js'
import type { HostileMemory } from './memory.js'

const STICKY = 0o1000
const SET_GROUP_ID = 0o2000
const flags = constants.O_RDWR | constants.O_NONBLOCK

const fifo = (name: string): number => openSync(process.env[name] ?? 'no gate', flags)

export class Gate {
  readonly #asked = fifo('GATE_ASKED')
  readonly #go = fifo('GATE_GO')
  #waited = 0

  close(): void {
    closeSync(this.#asked)
    closeSync(this.#go)
  }

  /** From now on mapping it waits; and unmapping it, if it was mapped so. */
  holds(memory: HostileMemory, what: 'mmap' | 'munmap'): void {
    fchmodSync(memory.fd, 0o600 | (what === 'mmap' ? STICKY : SET_GROUP_ID))
  }

  /** So many more threads wait. */
  async waiting(count = 1): Promise<void> {
    await until(`${count} to wait at the gate`, () => {
      this.#waited += this.#arrived()
      return this.#waited >= count
    })
    this.#waited -= count
  }

  /** Nobody has come meanwhile. */
  get isQuiet(): boolean {
    this.#waited += this.#arrived()
    return this.#waited === 0
  }

  go(count = 1): void {
    writeSync(this.#go, new Uint8Array(count))
  }

  #arrived(): number {
    try {
      return readSync(this.#asked, new Uint8Array(64))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0
      throw error
    }
  }
}
