// Changes of a device's memory, which threads of native code carry out: the session that asked waits, and so does its
// connection, while everybody else goes on. Between session.ts and the addon. One at a time for a device.

import { native } from '../addon/native.js'
import { reasonNumber } from '../addon/reasons.js'
import { allocateTag } from '../addon/wakeup.js'
import type { MemoryAsk } from '../control/asks.js'
import { type AskResult, failedOr, MAX_RINGS } from './effects.js'

/**
 * A file that could keep us this long is none to put packets into, and nobody else can be served by this device: the
 * connection is closed, so that a front end that comes back finds its place free.
 */
const MEMORY_DEADLINE_MS = 10_000

/** native/core/net/memory_change.h: Kind. */
const kinds: Record<MemoryAsk['kind'], number> = { map: 0, 'add-region': 1, 'remove-region': 2, 'set-log': 3 }

type OnResult = (result: AskResult) => void

const waiting = new Map<number, OnResult>()
const result = new Int32Array(2 + MAX_RINGS)
let tag: number | undefined
let opened = false

/** False while this process has no fd left by which to hear of results. */
function open(): boolean {
  tag ??= allocateTag(takeResults)
  opened ||= native().memoryOpen(tag) >= 0
  return opened
}

function takeResults(): void {
  for (let device = native().memoryNext(result); device !== 0; device = native().memoryNext(result)) {
    const onResult = waiting.get(device)
    waiting.delete(device)
    const it = { ...failedOr(result[0]), lost: [...result.subarray(2, 2 + result[1])] }
    // What one of them throws is not to cost the others theirs.
    if (onResult) queueMicrotask(() => onResult(it))
  }
}

function wordsOf(ask: MemoryAsk): bigint[] {
  if (ask.kind === 'map') return ask.regions
  return ask.kind === 'set-log' ? [0n, ask.size, 0n, ask.offset] : ask.region
}

/** What is read meanwhile would have to be kept. */
interface Reader {
  pause(): void
  resume(): void
}

/** The one change that a device waits for, if any. */
export class MemoryWait {
  readonly #device: number
  readonly #reader: Reader
  readonly #onResult: OnResult
  readonly #onDeadline: () => void
  #deadline: NodeJS.Timeout | NodeJS.Immediate | undefined

  constructor(device: number, reader: Reader, onResult: OnResult, onDeadline: () => void) {
    this.#device = device
    this.#reader = reader
    this.#onResult = onResult
    this.#onDeadline = onDeadline
  }

  /** The result comes in a later turn, unless this returns why there is nothing to wait for. */
  begin(ask: MemoryAsk): AskResult | undefined {
    const fds = ask.kind === 'map' ? ask.fds : 'fd' in ask ? [ask.fd] : []
    if (!open()) {
      for (const fd of fds) native().closeFd(fd)
      // Whatever lacked: docs/errors.md has all that it may be, and an open file is the first thing to look for.
      return failedOr(-reasonNumber('mem_map'))
    }
    const [regions, tokens] = [BigUint64Array.from(wordsOf(ask)), Uint32Array.from(fds)]
    const begun = native().memoryChange(this.#device, kinds[ask.kind], regions, tokens)
    if (begun < 0) return failedOr(begun)
    waiting.set(this.#device, it => {
      if (!this.end()) return
      this.#reader.resume()
      this.#onResult(it)
    })
    this.#reader.pause()
    this.#deadline = setTimeout(() => this.#late(), MEMORY_DEADLINE_MS).unref()
    return undefined
  }

  // After a stall of this whole process a turn of the loop has its timers first, and then what has come.
  // So what is there is taken first, and then the turn goes on once.
  #late(): void {
    takeResults()
    this.#deadline = setImmediate(() => {
      if (this.#deadline) this.#onDeadline()
    })
  }

  /** Waits no more: what is under way has no effect, if it has none yet. True if there was something. */
  end(): boolean {
    if (!this.#deadline) return false
    clearTimeout(this.#deadline as NodeJS.Timeout)
    clearImmediate(this.#deadline as NodeJS.Immediate)
    this.#deadline = undefined
    waiting.delete(this.#device)
    return true
  }
}
