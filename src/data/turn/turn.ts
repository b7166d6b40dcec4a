// The scope of one burst. A sink that gathers single packets asks to be flushed at its end, so that a pipeline of
// packets makes one native call a burst. Packets that arrive outside a scope are flushed by setImmediate.

export interface Flushable {
  flush(): void
}

export class Turn {
  #depth = 0
  #waiting: Flushable[] = []
  #immediate = false
  readonly #defer: (run: () => void) => void

  constructor(defer: (run: () => void) => void = setImmediate) {
    this.#defer = defer
  }

  /** Runs `work`; then flushes what asked for it, also after a throw. */
  run(work: () => void): void {
    this.begin()
    try {
      work()
    } finally {
      this.end()
    }
  }

  /** `run` in two halves, for a loop that wants no closure; `end` belongs into a `finally`. */
  begin(): void {
    this.#depth++
  }

  end(): void {
    if (--this.#depth === 0 && this.#waiting.length > 0) this.#flush()
  }

  /** Flushes `sink` at the end of this scope, or soon. The sink asks once until it is flushed. */
  atEnd(sink: Flushable): void {
    this.#waiting.push(sink)
    if (this.#depth > 0 || this.#immediate) return
    this.#immediate = true
    this.#defer(() => {
      this.#immediate = false
      this.#flush()
    })
  }

  #flush(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const sink of waiting) sink.flush()
  }
}
