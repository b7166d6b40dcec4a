// The jobs that the bench measures, and the forms in which a program can write them.

export const jobs = ['sink', 'source', 'echo', 'forward', 'filter-forward', 'mirror'] as const
export type Job = (typeof jobs)[number]

/** Plain burst calls; an rxjs pipeline of bursts; an rxjs pipeline of packets; native flows, which do not exist yet. */
export const forms = ['calls', 'bursts', 'packets', 'native'] as const
export type Form = (typeof forms)[number]

/** Returns the reason why a job does not exist in a form; undefined if it exists. */
export function missing(job: Job, form: Form): string | undefined {
  if (form === 'native') return 'native flows are not implemented yet'
  if (form !== 'calls' && job === 'source') return 'a pipeline cannot begin without a guest as source'
  if (form === 'calls' && job === 'echo') return 'only operators give access to writable packets'
  if (form === 'calls' && job === 'filter-forward')
    return 'packets cannot be removed from a burst of dequeueBurst()'
  return undefined
}

/** True: the packets of the job are those enqueued to the guest. False: those dequeued from the guest. */
export const countsEnqueued = (job: Job): boolean => job === 'source'

const LONG = 1518

/**
 * Promised ratios to the reference, for short and for long frames; undefined if nothing is promised. A promise of 1 is
 * also kept if the ratio is at least NEARLY and its interval reaches 1.
 */
const promises: Partial<Record<Job, Partial<Record<Form, readonly [number, number]>>>> = {
  sink: { calls: [1, 1] },
  source: { calls: [1, 1] },
  forward: { calls: [1, 1], bursts: [0.9, 0.95] },
  'filter-forward': { bursts: [0.8, 0.9], packets: [0.5, 0.7] },
  mirror: { bursts: [0.8, 0.9] },
}
const NEARLY = 0.97

export const promise = (job: Job, form: Form, size: number): number | undefined =>
  promises[job]?.[form]?.[size === LONG ? 1 : 0]

/** Returns true if a median with this upper end of its interval keeps the promise. */
export const kept = (promised: number, median: number, upper: number): boolean =>
  median >= promised || (promised === 1 && median >= NEARLY && upper >= 1)
