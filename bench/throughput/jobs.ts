// What is measured: the jobs, and the forms in which a program can write them.

export const jobs = ['sink', 'source', 'echo', 'forward', 'filter-forward', 'mirror'] as const
export type Job = (typeof jobs)[number]

/** Plain burst calls; an rxjs pipeline of bursts; one of packets; and, later, flows that run natively. */
export const forms = ['calls', 'bursts', 'packets', 'native'] as const
export type Form = (typeof forms)[number]

/** Why a job has no such form; undefined: it has. */
export function missing(job: Job, form: Form): string | undefined {
  if (form === 'native') return 'native flows are not there yet'
  if (form !== 'calls' && job === 'source') return 'a pipeline begins at a guest'
  if (form === 'calls' && job === 'echo') return 'only operators hand out a writable packet'
  if (form === 'calls' && job === 'filter-forward') return 'a burst of dequeueBurst() can not be cut'
  return undefined
}

/** The jobs' packets are those that came from the guest, or, for a source, those that went to it. */
export const countsEnqueued = (job: Job): boolean => job === 'source'

const LONG = 1518

/**
 * The ratio to the reference that is promised, for short and for long frames; undefined: nothing is promised. A promise
 * of 1 is also kept at NEARLY if the interval reaches 1.
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

/** Is it kept by a median and the upper end of its interval? */
export const kept = (promised: number, median: number, upper: number): boolean =>
  median >= promised || (promised === 1 && median >= NEARLY && upper >= 1)
