// The output of a capture: a stream, or one file after another. The write queue makes one call at a time and waits
// until the call has finished. After a failed write the file still contains only complete blocks.
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { format, join, parse } from 'node:path'
import type { Writable } from 'node:stream'

export interface Output {
  /** The path that events report. open() may change it. */
  readonly path: string | undefined
  /**
   * Begins a file, or a section of a stream. Resolves to the path of the old file that it removed, or to `undefined`.
   */
  open(): Promise<string | undefined>
  /** Writes complete blocks. When the promise resolves, the caller may reuse the memory of the blocks. */
  write(parts: Uint8Array[]): Promise<void>
  close(): Promise<void>
}

export class FileOutput implements Output {
  path: string
  readonly #base: string
  readonly #numbered: boolean
  readonly #ring: number
  #handle: FileHandle | null = null
  #opened = 0
  /**
   * Length of the file after the last successful write. A failed write is undone by truncating the file to this length,
   * because its packets are counted as lost.
   */
  #length = 0

  /**
   * If `numbered` is true, each open() begins a new file such as `x-00001.pcapng`, and the last `ring` files are kept.
   * Otherwise all calls use the same file.
   */
  constructor(path: string, numbered: boolean, ring = Infinity) {
    this.path = this.#base = path
    this.#numbered = numbered
    this.#ring = ring
  }

  async open(): Promise<string | undefined> {
    await this.close()
    const number = ++this.#opened
    if (this.#numbered) this.path = this.#name(number)
    // A pcapng file may have several sections (§3.2). So a later open() appends a section and keeps the earlier
    // packets.
    const again = !this.#numbered && number > 1
    this.#handle = await open(this.path, again ? 'a' : 'w')
    this.#length = again ? (await this.#handle.stat()).size : 0
    if (!this.#numbered || number <= this.#ring) return undefined
    const old = this.#name(number - this.#ring)
    return unlink(old).then(
      () => old,
      () => undefined, // the file was already removed
    )
  }

  async write(parts: Uint8Array[]): Promise<void> {
    const handle = this.#handle
    if (handle === null) throw new Error('no file is open')
    try {
      const { bytesWritten } = await handle.writev(parts)
      let left = bytesWritten
      for (const part of parts) {
        // If the disk is nearly full, writev() writes only some of the bytes, and the next write fails.
        for (let at = Math.min(left, part.length); at < part.length; )
          at += (await handle.write(part, at, part.length - at)).bytesWritten
        left = Math.max(0, left - part.length)
      }
      for (const { length } of parts) this.#length += length
    } catch (error) {
      await handle.truncate(this.#length).catch(() => {}) // fails if it is not a regular file
      throw error
    }
  }

  async close(): Promise<void> {
    const handle = this.#handle
    this.#handle = null
    await handle?.close()
  }

  #name(number: number): string {
    const { dir, name, ext } = parse(this.#base)
    const base = format({ name: `${name}-${String(number).padStart(5, '0')}`, ext })
    return dir === '' ? base : join(dir, base)
  }
}

export class StreamOutput implements Output {
  readonly path = undefined
  readonly #stream: Writable
  readonly #end: boolean
  /** Rejects the promise of the current call. */
  #reject: ((error: Error) => void) | null = null
  #failed: Error | null = null

  constructor(stream: Writable, end: boolean) {
    this.#stream = stream
    // Like pipe(), never ends stdout and stderr, because other code of the process also writes to them.
    this.#end = end && stream !== process.stdout && stream !== process.stderr
    stream.on('error', error => this.#fail(error))
    stream.on('close', () => this.#fail(new Error('the stream was closed')))
  }

  async open(): Promise<string | undefined> {
    if (this.#failed) throw this.#failed
    return undefined
  }

  write(parts: Uint8Array[]): Promise<void> {
    // Writes a copy, because a stream may still use the bytes after it has called back.
    return this.#call(done => this.#stream.write(Buffer.concat(parts), done))
  }

  close(): Promise<void> {
    if (!this.#end || this.#failed) return Promise.resolve()
    return this.#call(done => this.#stream.end(done))
  }

  #call(start: (done: (error?: Error | null) => void) => void): Promise<void> {
    if (this.#failed) return Promise.reject(this.#failed)
    return new Promise((resolve, reject) => {
      this.#reject = reject
      start(error => {
        this.#reject = null
        if (error) reject(error)
        else resolve()
      })
    })
  }

  #fail(error: Error): void {
    this.#failed ??= error
    this.#reject?.(this.#failed)
    this.#reject = null
  }
}
