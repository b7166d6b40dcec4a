// Reads the resource usage of a process from /proc/<pid> (proc(5)), so that measuring does not disturb the process.
import { readdirSync, readFileSync } from 'node:fs'
import type { Role } from './back-end.js'

/** Total cost of `count` devices, drivers or servers. */
export interface ScaleCost {
  role: Role
  count: number
  /** CPU time of the back end for the start, in milliseconds. */
  start: number
  /** Anonymous memory in KiB after an explicit garbage collection. */
  anonymous: number
  /** Anonymous memory in KiB after V8 has freed unused memory by itself. */
  anonymousAtRest: number
  /** CPU time in milliseconds while V8 frees unused memory. */
  settleCpu: number
  files: number
  idleSeconds: number
  idleCpu: number
  idleSwitches: number
}

export interface Usage {
  /** CPU time of all threads since the process started, in milliseconds. */
  cpu: number
  /** Number of voluntary context switches of its threads: a thread went to sleep and was later woken. */
  switches: number
}

const numberIn = (text: string, name: string): number =>
  Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN)

/** Ended threads are not counted, so a difference of two results is valid only if no thread ended between them. */
export function usageOf(pid: number): Usage {
  let [cpu, switches] = [0, 0]
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const at = `/proc/${pid}/task/${thread}`
    cpu += Number(readFileSync(`${at}/schedstat`, 'utf8').split(' ')[0]) / 1e6
    switches += numberIn(readFileSync(`${at}/status`, 'utf8'), 'voluntary_ctxt_switches')
  }
  return { cpu, switches }
}

/** Returns memory without a file, in KiB: heaps, stacks and the packet pool, but not guest memory. */
export const anonymousOf = (pid: number): number =>
  numberIn(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'), 'Anonymous')

export const openFilesOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length

export const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** Measures the usage during `seconds` in which the process gets no commands. */
export async function idleOf(pid: number, seconds: number): Promise<Usage> {
  const before = usageOf(pid)
  await pause(seconds * 1000)
  const after = usageOf(pid)
  return { cpu: after.cpu - before.cpu, switches: after.switches - before.switches }
}
