// What this process has of front ends, that could be left when they are gone.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import type { ExecutionContext } from 'ava'
import { native } from '../../../src/addon/native.js'
import { until } from './conditions.js'

export interface Census {
  tokens: number
  fds: number
  devices: number
  guestMappings: number
}

const guestMappings = (): number => readFileSync('/proc/self/maps', 'utf8').split('hostile-guest').length - 1

export function census(): Census {
  return {
    tokens: native().fdCount(),
    fds: readdirSync('/proc/self/fd').length,
    devices: native().deviceCount(),
    guestMappings: guestMappings(),
  }
}

/** Fds of the memory of front ends, theirs or ours. */
const guestFiles = (): string[] =>
  readdirSync('/proc/self/fd').filter(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).includes('hostile-guest')
    } catch {
      return false // of the folder itself
    }
  })

/** Some of what a peer sent is unmapped and closed by threads that may wait for it (native/core/base/blocking_threads.h). */
export async function leavesNothing(t: ExecutionContext, before: Census, message: string): Promise<void> {
  await until(message, () => isDeepStrictEqual(census(), before)).catch(() => {})
  t.deepEqual(census(), before, message)
}

/** Of no front end of this process anything is left. */
export const noGuestMemory = (): Promise<boolean> =>
  until('its memory to be unmapped and closed', () => guestMappings() + guestFiles().length === 0)
