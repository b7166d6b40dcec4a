// Histograms of latencies. Their buckets are fixed, so that to record a latency is one increment and to add two histograms is a
// loop. A bucket is an eighth of a power of two wide, as in an HDR histogram of three bits: a value read from it is at most
// 12.5 % too high.

/** Each power of two has 2^FINE buckets. */
const FINE = 3
const PER_OCTAVE = 1 << FINE
/** Latencies of 2^37 ns (over two minutes) or more are in the last bucket. */
const OCTAVES = 37
export const LATENCY_BUCKETS = (OCTAVES - FINE + 1) * PER_OCTAVE

/** No latencies, by bucket. Shared: nobody writes to it. */
export const NO_LATENCIES = new Float64Array(LATENCY_BUCKETS)

/** The bucket of a number of nanoseconds. */
export function bucketOf(ns: number): number {
  if (ns < PER_OCTAVE) return Math.max(0, Math.floor(ns))
  const octave = ns < 2 ** 31 ? 31 - Math.clz32(ns) : 47 - Math.clz32(Math.min(ns, 2 ** 47) / 2 ** 16)
  if (octave >= OCTAVES) return LATENCY_BUCKETS - 1
  return (octave - FINE) * PER_OCTAVE + Math.floor(ns / 2 ** (octave - FINE))
}

/** The least number of nanoseconds in the bucket. */
export function bucketFrom(bucket: number): number {
  if (bucket < PER_OCTAVE) return bucket
  const octave = Math.floor(bucket / PER_OCTAVE) + FINE - 1
  return (PER_OCTAVE + (bucket % PER_OCTAVE)) * 2 ** (octave - FINE)
}

/** Records the latencies of one queue. Allocates its buckets with the first latency. */
export class LatencyRecorder {
  #counts: Float64Array | null = null
  /** In milliseconds. NaN makes V8 store the field as a double, which it can write without allocating an object. */
  #began = Number.NaN

  /** By bucket; a copy. */
  get counts(): Float64Array {
    return this.#counts?.slice() ?? NO_LATENCIES
  }

  /** A latency begins at `clock[0]`, in milliseconds. */
  begin(clock: Float64Array): void {
    this.#began = clock[0]
  }

  /** It ends at `clock[0]`. */
  end(clock: Float64Array): void {
    const ns = (clock[0] - this.#began) * 1e6
    this.#count(ns < 2 ** 31 ? bucketOf(ns | 0) : bucketOf(ns))
  }

  /** Records a latency that began at `times[at]` and ends at `clock[0]`, both in milliseconds. */
  recordSince(times: Float64Array, at: number, clock: Float64Array): void {
    const ns = (clock[0] - times[at]) * 1e6
    this.#count(ns < 2 ** 31 ? bucketOf(ns | 0) : bucketOf(ns))
  }

  /** Records a latency of zero. */
  recordNone(): void {
    this.#count(0)
  }

  #count(bucket: number): void {
    this.#counts ??= new Float64Array(LATENCY_BUCKETS)
    this.#counts[bucket]++
  }
}

/** One bucket of a {@link LatencyHistogram}: `count` latencies of `from` to `to` nanoseconds, inclusive. */
export interface LatencyBucket {
  /** The lower end, in nanoseconds. */
  readonly from: number
  /** The upper end, in nanoseconds. */
  readonly to: number
  /** How many latencies are in it. */
  readonly count: number
}

/**
 * Latencies in nanoseconds. A percentile is the upper end of the bucket that it is in, so it is at most 12.5 % too high and
 * never too low. It is 0 if there are no latencies.
 */
export class LatencyHistogram {
  /** How many latencies there are. */
  readonly count: number
  /** The median, in nanoseconds. */
  readonly p50: number
  /** 99 % took at most so many nanoseconds. */
  readonly p99: number
  /** 99.9 % took at most so many nanoseconds. */
  readonly p999: number
  /** The longest latency, in nanoseconds. */
  readonly max: number
  readonly #counts: Float64Array

  /** @internal */
  constructor(counts: Float64Array) {
    this.#counts = counts
    this.count = counts === NO_LATENCIES ? 0 : counts.reduce((sum, count) => sum + count, 0)
    this.p50 = this.percentile(50)
    this.p99 = this.percentile(99)
    this.p999 = this.percentile(99.9)
    this.max = this.percentile(100)
  }

  /** `percent` (0 to 100) of all latencies took at most so many nanoseconds. */
  percentile(percent: number): number {
    if (this.count === 0) return 0
    const wanted = Math.min(this.count, Math.max(1, Math.ceil((this.count * percent) / 100)))
    let seen = 0
    for (let i = 0; i < this.#counts.length; i++) {
      seen += this.#counts[i]
      if (seen >= wanted) return bucketFrom(i + 1) - 1
    }
    return 0
  }

  /** The buckets that are not empty, shortest latencies first. */
  get buckets(): LatencyBucket[] {
    const all: LatencyBucket[] = []
    this.#counts.forEach((count, i) => {
      if (count > 0) all.push({ from: bucketFrom(i), to: bucketFrom(i + 1) - 1, count })
    })
    return all
  }
}
