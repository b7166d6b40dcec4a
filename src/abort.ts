// AbortSignal for everything that this library can cancel. It works synchronously, unlike events.addAbortListener(): when
// abort() returns, everything is released.

/** Calls `aborted` once: now, if the signal is already aborted. Returns a function that removes the listener. */
export function onAbort(signal: AbortSignal | undefined, aborted: () => void): () => void {
  if (signal === undefined) return () => {}
  if (signal.aborted) {
    aborted()
    return () => {}
  }
  signal.addEventListener('abort', aborted, { once: true })
  return () => signal.removeEventListener('abort', aborted)
}

/**
 * A promise that `start` settles, or that rejects with the signal's reason once it is aborted. `start` returns a
 * function that cancels the wait in that case.
 */
export function abortable<T>(
  signal: AbortSignal | undefined,
  start: (resolve: (value: T) => void, reject: (error: unknown) => void) => () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason)
      return
    }
    let takeBack = (): void => {}
    const forget = onAbort(signal, () => {
      takeBack()
      reject(signal?.reason)
    })
    const settles =
      <V>(settle: (value: V) => void) =>
      (value: V): void => {
        forget()
        settle(value)
      }
    takeBack = start(settles(resolve), settles(reject))
  })
}
