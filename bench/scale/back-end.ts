// The process that is measured. It has, by its role: `echo`, drivers whose pipelines send their guests' packets back;
// `listen`, drivers whose devices are merely waited for; `net`, plain servers of Node's own. It does what it is told in
// lines on its standard input and nothing in between.
import { createServer } from 'node:net'
import { PerformanceObserver } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
import { getHeapSpaceStatistics } from 'node:v8'
import { dataPlane } from '../../src/data/env.js'
import { VhostDriver } from '../../src/index.js'
import { enqueue } from '../../src/operators/index.js'

export type Role = 'echo' | 'listen' | 'net'

export interface Look {
  /** Milliseconds of CPU. */
  cpu: number
  /** MiB of JavaScript's heap in use. */
  heap: number
  /** MiB of memory that V8 uses for young objects, dead or alive: it takes twice as much when many survived. */
  young: number
  /** Collections that it did not ask for: how many, and the longest in milliseconds. */
  collections: number
  longest: number
}

export interface Passed {
  /** Packets that came out of guests. */
  packets: number
  /** Packets that someone still holds. */
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
  // Twice: what finalizers of the first let go is collected by the second.
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

// Apart from look(), which is to leave nothing to collect: statistics are objects, for each of a thousand devices.
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
