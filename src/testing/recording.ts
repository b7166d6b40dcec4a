// Records the events of a marble test, frame by frame, and compares them with a diagram. expectations.ts calls this
// file and decides what is recorded.
import { type Observable, type ObservableNotification, Subscription } from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import type { VirtualTime } from './virtual-time.js'

/** The values of a diagram's characters. */
export type MarbleValues = Readonly<Record<string, unknown>>

/** A recording that can be compared with a diagram. */
export interface Expectation {
  /**
   * Sets the expected diagram, in the syntax of rxjs. `values` has the values of its characters. Digits stand for
   * themselves, unless `values` has them.
   */
  toBe(marbles: string, values?: MarbleValues, error?: unknown): void
}

const digits = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]

export class Recording implements Expectation {
  readonly #actual: { frame: number; notification: ObservableNotification<unknown> }[] = []
  readonly #time: VirtualTime
  readonly #digit: (digit: number) => unknown

  /** `digit`: returns the value of a digit in the diagram. */
  constructor(time: VirtualTime, digit: (digit: number) => unknown = number => number) {
    this.#time = time
    this.#digit = digit
  }

  note(notification: ObservableNotification<unknown>, frame = this.#time.frame): void {
    this.#actual.push({ frame, notification })
  }

  next(value: unknown): void {
    this.note({ kind: 'N', value, error: undefined } as ObservableNotification<unknown>)
  }

  /** Subscribes from the frame with `^` in `subscription` to the frame with `!`, and records snapshots. */
  follow<T>(source: Observable<T>, subscription: string | null, snapshot: (value: T) => unknown): void {
    const time = this.#time
    const { subscribedFrame, unsubscribedFrame } = TestScheduler.parseMarblesAsSubscriptions(
      subscription,
      true,
    )
    const running = new Subscription()
    time.cleanUp(() => running.unsubscribe())
    time.schedule(
      () => {
        running.add(
          source.subscribe({
            next: value => this.next(snapshot(value)),
            error: error =>
              this.note({ kind: 'E', value: undefined, error } as ObservableNotification<unknown>),
            complete: () =>
              this.note({
                kind: 'C',
                value: undefined,
                error: undefined,
              } as unknown as ObservableNotification<unknown>),
          }),
        )
      },
      Number.isFinite(subscribedFrame) ? subscribedFrame : 0,
    )
    if (Number.isFinite(unsubscribedFrame)) time.schedule(() => running.unsubscribe(), unsubscribedFrame)
  }

  toBe(marbles: string, values: MarbleValues = {}, error?: unknown): void {
    const table = marbleValues(values, this.#digit)
    const expected = TestScheduler.parseMarbles(marbles, table, error, false, true)
    this.#time.check(() => this.#time.equal(this.#actual, expected))
  }
}

/** Returns `values` with digits for themselves. A character without a value throws instead of giving undefined. */
export function marbleValues(
  values: MarbleValues,
  digit: (digit: number) => unknown = number => number,
): Record<string, unknown> {
  const table: Record<string, unknown> = Object.fromEntries(digits.map(n => [String(n), digit(n)]))
  return new Proxy(Object.assign(table, values), {
    get(target, key) {
      if (typeof key === 'string' && !Object.hasOwn(target, key))
        throw new TypeError(`the marble '${key}' has no value: give { ${key}: … }`)
      return target[key as string]
    },
  })
}
