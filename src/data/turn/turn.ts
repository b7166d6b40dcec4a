// The scope of one burst. A sink that gathers single packets asks for a flush at the end of the scope, so that a pipeline
// of packets makes one native call per burst. Outside a scope setImmediate flushes the sink.

export interface Flushable {
  flush(): void
}

export class Turn {
  #depth = 0
  #waiting: Flushable[] = []
  #immediate = false
  readonly #defer: (run: () => void) => void

  /** `defer` runs something in a later turn of the event loop. */
  constructor(defer: (run: () => void) => void = setImmediate) {
    this.#defer = defer
  }

  /** Runs `work` inside the scope; then flushes the sinks that asked for it, also after a throw. */
  run(work: () => void): void {
    this.begin()
    try {
      work()
    } finally {
      this.end()
    }
  }

  /** `run` in two halves, for a loop that avoids the closure. Call `end` in a `finally`. */
  begin(): void {
    this.#depth++
  }

  end(): void {
    if (--this.#depth === 0 && this.#waiting.length > 0) this.#flush()
  }

  /** Flushes `sink` at the end of this scope, or soon after the call if there is none. Call once per flush. */
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
