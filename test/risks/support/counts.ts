// What this process has that could leak. Guest memory is counted by its mappings (the memfd's name); other mappings come
// and go with V8's heap.
import { readdirSync, readFileSync } from 'node:fs'
import { dataPlane } from '../../../src/data/env.js'
import { native } from '../../../src/native.js'

export interface Counts {
  fds: number
  tokens: number
  guestMappings: number
  threads: number
  devices: number
  leases: number
}

export function counts(): Counts {
  return {
    fds: readdirSync('/proc/self/fd').length,
    tokens: native().fdCount(),
    guestMappings: readFileSync('/proc/self/maps', 'utf8').split('memfd:rx-vhost-guest').length - 1,
    threads: readdirSync('/proc/self/task').length,
    devices: native().deviceCount(),
    leases: dataPlane().pool.leases,
  }
}
