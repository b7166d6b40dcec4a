// The measured process, with one of three roles: `echo` has drivers whose pipelines send packets back to the guest,
// `listen` has drivers that only wait for front ends, and `net` has servers of node:net. Each command is a line on
// standard input; the process does nothing between commands.
import { createServer } from 'node:net'
import { PerformanceObserver } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
import { getHeapSpaceStatistics } from 'node:v8'
import { dataPlane } from '../../src/data/env.js'
import { VhostDriver } from '../../src/index.js'
import { enqueue } from '../../src/operators/index.js'

export type Role = 'echo' | 'listen' | 'net'

export interface Look {
  /** CPU time in milliseconds. */
  cpu: number
  /** Used JavaScript heap, in MiB. */
  heap: number
  /** V8's memory for young objects, in MiB, including dead objects. V8 doubles it when many objects have survived. */
  young: number
  /** Garbage collections that V8 started by itself: their number, and the longest in milliseconds. */
  collections: number
  longest: number
}

export interface Passed {
  /** Number of packets received from guests. */
  packets: number
  /** Number of leases that are not released. */
  leases: number
}

const role = process.argv[2] as Role
const drivers: VhostDriver[] = []
let [collections, longest] = [0, 0]
let asked = 0

const observer = new PerformanceObserver(list => {
  for (const { duration, startTime } of list.getEntries()) {
    if (startTime < asked) continue
    collections++
    longest = Math.max(longest, duration)
  }
})

async function listen(path: string): Promise<void> {
  if (role === 'net') {
    const server = createServer(() => {})
    await new Promise<void>(resolve => server.listen(path, resolve))
    return
  }
  const driver = new VhostDriver(path)
  if (role === 'listen') {
    driver.subscribe()
    return
  }
  driver.fromGuest().pipe(enqueue(driver.toGuest())).subscribe()
  drivers.push(driver)
}

function collect(): void {
  // Collect twice: the second collection frees objects that finalizers of the first have released.
  for (let n = 0; n < 2; n++) globalThis.gc?.()
  asked = performance.now()
  ;[collections, longest] = [0, 0]
}

function look(): Look {
  const { user, system } = process.cpuUsage()
  return {
    cpu: (user + system) / 1000,
    heap: process.memoryUsage().heapUsed / 2 ** 20,
    young:
      getHeapSpaceStatistics().find(space => space.space_name === 'new_space')!.physical_space_size / 2 ** 20,
    collections,
    longest,
  }
}

// Separate from look(), which must create little garbage: reading statistics creates objects for each of 1,000 devices.
const passed = (): Passed => ({
  packets: drivers.reduce((sum, driver) => sum + driver.fromGuest().stats.packets, 0),
  leases: dataPlane().pool.leases,
})

observer.observe({ entryTypes: ['gc'] })
const lines = createInterface({ input: process.stdin })
lines.on('line', async line => {
  const [word, ...paths] = line.split(' ')
  for (const path of paths) await listen(path)
  if (word === 'collect') collect()
  process.stdout.write(`${JSON.stringify(word === 'passed' ? passed() : look())}\n`)
})
lines.once('close', () => process.exit())
