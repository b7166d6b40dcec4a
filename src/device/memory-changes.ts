// Changes of a device's memory. Native threads carry them out, one at a time per device. Meanwhile the session is pending and
// its connection is not read; other devices go on.

import { native } from '../addon/native.js'
import { reasonNumber } from '../addon/reasons.js'
import { allocateTag } from '../addon/wakeup.js'
import type { MemoryAsk } from '../control/asks.js'
import { type AskResult, failedOr, MAX_RINGS } from './effects.js'

/**
 * A file whose mapping takes longer is too slow for packets. The connection is closed, so that a front end that reconnects
 * is not refused because this one is still there.
 */
const MEMORY_DEADLINE_MS = 10_000

/** native/core/vhost/memory_change.h: Kind. */
const kinds: Record<MemoryAsk['kind'], number> = { map: 0, 'add-region': 1, 'remove-region': 2, 'set-log': 3 }

type OnResult = (result: AskResult) => void

const waiting = new Map<number, OnResult>()
const result = new Int32Array(2 + MAX_RINGS)
let tag: number | undefined
let opened = false

/** Prepares for results. False if this process has no fd left for the eventfd that reports them. */
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
    // In a microtask, so that an error that one of them throws does not stop the others.
    if (onResult) queueMicrotask(() => onResult(it))
  }
}

function wordsOf(ask: MemoryAsk): bigint[] {
  if (ask.kind === 'map') return ask.regions
  return ask.kind === 'set-log' ? [0n, ask.size, 0n, ask.offset] : ask.region
}

/** The connection. It is paused while the session waits, since its messages would have to be queued. */
interface Reader {
  pause(): void
  resume(): void
}

/** The change that a device waits for, if any. */
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

  /** Begins a change, whose result comes in a later turn. Returns a result only if the change could not begin. */
  begin(ask: MemoryAsk): AskResult | undefined {
    const fds = ask.kind === 'map' ? ask.fds : 'fd' in ask ? [ask.fd] : []
    if (!open()) {
      for (const fd of fds) native().closeFd(fd)
      // mem_map: docs/errors.md lists its causes, and too many open files is the first of them.
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

  // After a stall of the whole process, timers run before the event loop reports results. So results that have come are taken
  // first, and the deadline passes only if the rest of this turn brings none either.
  #late(): void {
    takeResults()
    this.#deadline = setImmediate(() => {
      if (this.#deadline) this.#onDeadline()
    })
  }

  /** Ends the wait; its result is ignored if it still comes. Returns whether there was one. */
  end(): boolean {
    if (!this.#deadline) return false
    clearTimeout(this.#deadline as NodeJS.Timeout)
    clearImmediate(this.#deadline as NodeJS.Immediate)
    this.#deadline = undefined
    waiting.delete(this.#device)
    return true
  }
}
