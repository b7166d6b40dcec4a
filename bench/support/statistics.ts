// Statistics of measured values: median, spread, and confidence interval of the median. Values have any unit.

export interface Summary {
  /** Number of values. */
  count: number
  median: number
  /** First and third quartile: half of the values are between them. */
  quartiles: [number, number]
  least: number
  most: number
  /** 95 % bootstrap interval of the median. */
  interval: [number, number]
}

const RESAMPLES = 2000

/** Returns a quantile, interpolated between two values if necessary; NaN without values. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * q
  const below = Math.floor(at)
  if (sorted.length === 0) return Number.NaN
  return sorted[below] + (at - below) * ((sorted[below + 1] ?? sorted[below]) - sorted[below])
}

export const median = (values: readonly number[]): number => quantile(values, 0.5)

/**
 * Returns the percentile bootstrap interval of the median. The resampling is seeded: the same values always give the
 * same interval, so a saved result can be checked.
 */
export function bootstrapInterval(values: readonly number[], confidence = 0.95): [number, number] {
  const random = xorshift(0x9e3779b9)
  const medians = Array.from({ length: RESAMPLES }, () =>
    median(values.map(() => values[Math.floor(random() * values.length)])),
  )
  const tail = (1 - confidence) / 2
  return [quantile(medians, tail), quantile(medians, 1 - tail)]
}

export function summarize(values: readonly number[]): Summary {
  return {
    count: values.length,
    median: median(values),
    quartiles: [quantile(values, 0.25), quantile(values, 0.75)],
    least: Math.min(...values),
    most: Math.max(...values),
    interval: bootstrapInterval(values),
  }
}

/** Returns a generator of pseudorandom numbers in [0, 1). */
function xorshift(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
