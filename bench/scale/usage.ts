// What a process costs, read from outside it, so that the look disturbs nothing: /proc/<pid> (proc(5)).
import { readdirSync, readFileSync } from 'node:fs'
import type { Role } from './back-end.js'

/** What so many cost, all together. */
export interface Kept {
  role: Role
  count: number
  /** Milliseconds of the back end's CPU. */
  start: number
  /** KiB, after a collection that was asked for. */
  anonymous: number
  /** KiB, once V8 has given back by itself what it does not need. */
  anonymousAtRest: number
  /** Milliseconds of CPU until then. */
  settleCpu: number
  files: number
  idleSeconds: number
  idleCpu: number
  idleSwitches: number
}

export interface Usage {
  /** Milliseconds of CPU since it began, all threads. */
  cpu: number
  /** Times that a thread of it gave up the processor by itself: it slept, and something woke it. */
  switches: number
}

const numberIn = (text: string, name: string): number =>
  Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN)

/** Threads that have ended are not counted: read it twice while none ends. */
export function usageOf(pid: number): Usage {
  let [cpu, switches] = [0, 0]
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const at = `/proc/${pid}/task/${thread}`
    cpu += Number(readFileSync(`${at}/schedstat`, 'utf8').split(' ')[0]) / 1e6
    switches += numberIn(readFileSync(`${at}/status`, 'utf8'), 'voluntary_ctxt_switches')
  }
  return { cpu, switches }
}

/** KiB of memory that belongs to no file: heaps, stacks, the packet pool. Guests' memory is none of it. */
export const anonymousOf = (pid: number): number =>
  numberIn(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'), 'Anonymous')

export const openFilesOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length

export const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** What it uses in `seconds` in which nobody asks it for anything. */
export async function idleOf(pid: number, seconds: number): Promise<Usage> {
  const before = usageOf(pid)
  await pause(seconds * 1000)
  const after = usageOf(pid)
  return { cpu: after.cpu - before.cpu, switches: after.switches - before.switches }
}
