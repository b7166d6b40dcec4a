// Waiting for conditions, never for a time. A deadline only turns a test that would hang into one that says why.

const DEADLINE_MS = 20_000
// Captured before a test puts other timers in place.
const { now } = performance
const clock = (): number => now.call(performance)

/** One turn of the event loop: what was ready before has been served. */
export const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn()
}

/** Resolves with the first value that is neither undefined nor false. */
export async function until<T>(what: string, look: () => T | undefined | false): Promise<T> {
  const end = clock() + DEADLINE_MS
  for (;;) {
    const value = look()
    if (value !== undefined && value !== false) return value
    if (clock() > end) throw new Error(`waited in vain: ${what}`)
    await turn()
  }
}
