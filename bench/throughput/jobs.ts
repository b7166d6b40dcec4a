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
