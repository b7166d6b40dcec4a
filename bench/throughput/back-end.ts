// rx-vhost's back end under test, in a separate process. Runs the jobs in all forms in which a program can write them.
// Each command is a line; the reference (bench/dpdk/reference.c) has the same commands.
//
//   back-end FOLDER PORTS POLL
//
// Commands: wait · seed COUNT · run JOB SIZE WARM_MS MS all|some FORM BURST · stop PACKETS
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { PollMode } from '../../src/data/source/options.js'
import { type HeldBurst, VhostDriver } from '../../src/index.js'
import { FrameCheck } from './frames.js'
import type { Form, Job } from './jobs.js'
import { type Counters, difference, Meter } from './meter.js'
import { loopOf, type Ports, stepOf } from './work-calls.js'
import { startPipeline } from './work-pipelines.js'

/** After `stop`: maximum time without a packet while packets are still expected. */
const TIMEOUT_MS = 1000
const SEED_BURST = 32

const [folder, count, poll] = process.argv.slice(2)
const drivers = Array.from(
  { length: Number(count) },
  (_, port) => new VhostDriver(join(folder, `${port}.sock`), { poll: poll as PollMode }),
)
const ports: Ports = { from: drivers.map(d => d.fromGuest()), to: drivers.map(d => d.toGuest()) }
const meter = new Meter(ports)
const seeds: HeldBurst[] = []
let listening = 0
let ready = 0
let end: ((expected: number) => void) | undefined

const answer = (reply: object): void => void process.stdout.write(`${JSON.stringify(reply)}\n`)
const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

for (const driver of drivers) {
  driver.events.subscribe(event => {
    if (event.type === 'listening' && ++listening === drivers.length) answer({ listening })
  })
  driver.subscribe(device => {
    device.subscribe(event => {
      if (event.type === 'fault') answer({ error: event.error.message })
      if (event.type === 'ready') ready++
    })
  })
}

async function seed(most: number): Promise<void> {
  for (const burst of seeds.splice(0)) burst.release()
  for (let left = most; left > 0; ) {
    const burst = ports.from[0].dequeueBurst(Math.min(SEED_BURST, left))
    left -= burst.length
    if (burst.length > 0) seeds.push(burst)
    else await pause(1)
  }
  answer({ seeds: most })
}

/** Returns the number of packets dropped so far, for any reason. */
const drops = (): number =>
  [...ports.from, ...ports.to]
    .flatMap(({ stats }) => Object.values(stats.drops))
    .reduce((sum, count) => sum + count, 0)

/** Starts the job; returns a function that ends it. */
function start(job: Job, form: Form, burstSize: number, check: FrameCheck): () => void {
  if (form !== 'calls') {
    const running = startPipeline(job, form, ports, check)
    return () => running.unsubscribe()
  }
  const burst = ports.from[0].createBurst(burstSize)
  const stop = loopOf(stepOf(job, ports, burst, check, seeds), meter.loops)
  return () => {
    stop()
    burst.release()
  }
}

/** Waits until `expected` packets came from the guest and no packet is held, or until no packet moved for a while. */
async function arrived(expected: number, before: Counters): Promise<void> {
  let last = meter.counters()
  for (let movedAt = performance.now(); performance.now() - movedAt < TIMEOUT_MS; ) {
    await pause(1)
    const now = meter.counters()
    const held = [...ports.from, ...ports.to].reduce((sum, { stats }) => sum + stats.held, 0)
    if (now.dequeued - before.dequeued >= expected && held === 0) return
    if (now.dequeued !== last.dequeued || now.enqueued !== last.enqueued) movedAt = performance.now()
    last = now
  }
}

async function run(words: string[]): Promise<void> {
  const [job, size, warmMs, ms, checks, form, burst] = words
  const check = new FrameCheck(Number(size), checks === 'all')
  if (job !== 'source') for (const burst of seeds.splice(0)) burst.release()
  const before = meter.counters()
  const dropsBefore = drops()
  const stopped = new Promise<number>(resolve => {
    end = resolve
  })
  const stop = start(job as Job, form as Form, Number(burst), check)
  await pause(Number(warmMs))
  meter.begin()
  await pause(Number(ms))
  answer(meter.end())
  const expected = await stopped
  if (job !== 'source') await arrived(expected, before)
  const held = ports.from[0].stats.held
  stop()
  answer({
    ...difference(meter.counters(), before),
    ...{ held, bad: check.bad, dropped: drops() - dropsBefore },
  })
}

async function obey(line: string): Promise<void> {
  const [command, ...words] = line.trim().split(/\s+/)
  if (command === 'stop') end?.(Number(words[0] ?? 0))
  else if (command === 'run') await run(words)
  else if (command === 'seed') await seed(Number(words[0]))
  else if (command === 'wait') {
    while (ready < drivers.length) await pause(1)
    answer({ ports: ready })
  } else answer({ error: `unknown command: ${command}` })
}

createInterface({ input: process.stdin })
  .on('line', line => {
    obey(line).catch(error => answer({ error: String(error) }))
  })
  .on('close', () => process.exit(0))
