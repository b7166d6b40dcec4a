// AbortSignal for what this library can cancel. Synchronous, unlike events.addAbortListener(): who aborts finds all released.

/** Calls `aborted` once, now if the signal is aborted already; returns what forgets it. */
export function onAbort(signal: AbortSignal | undefined, aborted: () => void): () => void {
  if (signal === undefined) return () => {}
  if (signal.aborted) {
    aborted()
    return () => {}
  }
  signal.addEventListener('abort', aborted, { once: true })
  return () => signal.removeEventListener('abort', aborted)
}
