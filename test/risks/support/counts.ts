// What this process has that could leak. Guest memory is counted by its mappings (the memfd's name); other mappings come
// and go with V8's heap.
import { readdirSync, readFileSync } from 'node:fs'
import { native } from '../../../src/addon/native.js'
import { dataPlane } from '../../../src/data/env.js'

export interface Counts {
  fds: number
  tokens: number
  guestMappings: number
  threads: number
  devices: number
  leases: number
}

/** Of threads that map, unmap and close (native/core/base/blocking_threads.h), which go when they have nothing to do. */
function waiters(): number {
  const names = readdirSync('/proc/self/task').map(id => {
    try {
      return readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim()
    } catch {
      return '' // it has ended
    }
  })
  return names.filter(name => name === 'rx-vhost-wait').length
}

/** Once nothing that ended is still being unmapped or closed. */
export async function countsAtRest(): Promise<Counts> {
  while (waiters() > 0) await new Promise(resolve => setImmediate(resolve))
  return counts()
}

function counts(): Counts {
  return {
    fds: readdirSync('/proc/self/fd').length,
    tokens: native().fdCount(),
    guestMappings: readFileSync('/proc/self/maps', 'utf8').split('memfd:rx-vhost-guest').length - 1,
    threads: readdirSync('/proc/self/task').length,
    devices: native().deviceCount(),
    leases: dataPlane().pool.leases,
  }
}
