// What JavaScript's heap gets while something runs, exactly: its growth up to each collection, and after the last one. Memory
// outside of the heap is not in it, such as the bytes of copies and buffers. Needs --expose-gc, and a process of its own.
import { GCProfiler } from 'node:v8'

/** Bytes that `run` allocates. */
export async function allocatedBy(run: () => Promise<unknown>): Promise<number> {
  globalThis.gc?.()
  const profiler = new GCProfiler()
  profiler.start()
  let before = process.memoryUsage().heapUsed
  await run()
  const after = process.memoryUsage().heapUsed
  let sum = 0
  for (const { beforeGC, afterGC } of profiler.stop().statistics) {
    sum += beforeGC.heapStatistics.usedHeapSize - before
    before = afterGC.heapStatistics.usedHeapSize
  }
  return sum + after - before
}
