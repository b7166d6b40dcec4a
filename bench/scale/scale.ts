// `npm run bench:scale`: measures the CPU time to start a device, its memory, its idle cost, and the cost of a packet,
// with 1 to 1,000 devices. Also compares the cost of a listening driver with a net.Server. The back end runs in its own
// process; a second process has all front ends, which represent virtual machines.
//
//   npm run bench:scale                          prints tables, then `ok` or `not ok` for each limit
//   npm run bench:scale -- --quick               a tenth of the devices, without limits, to test that the bench works
//   npm run bench:scale -- --only traffic        one part: `traffic`, `devices` or `drivers`
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { MissingError } from '../support/c-program.js'
import { V8_SETTLES } from '../support/settling.js'
import { median } from '../support/statistics.js'
import { type Column, machine, markdownTable, saveResult, textTable } from '../support/tables.js'
import type { Role } from './back-end.js'
import { type BackEnd, type FrontEnds, SOCKETS, withBoth } from './programs.js'
import { anonymousOf, idleOf, openFilesOf, pause, type ScaleCost, type Usage } from './usage.js'
import { type Check, checkDevices, checkDrivers } from './verdict.js'

const { values } = parseArgs({ options: { quick: { type: 'boolean' }, only: { type: 'string' } } })
const SCALE = values.quick ? 0.1 : 1
/** Numbers of devices and drivers. Slopes are computed from the last two numbers. */
const DEVICES = [1, 10, 100, 1000].map(count => count * SCALE).filter(count => count >= 1)
const DRIVERS = [1000, 4000].map(count => count * SCALE)
const IDLE_SECONDS = values.quick ? 2 : 10
/** Wait before the idle measurement. The cost of V8's collections during this wait has a separate column. */
const SETTLE_SECONDS = values.quick ? 2 : V8_SETTLES
/** Maximum number of repeated idle measurements. After these, a collection counts as idle cost. */
const MOST_LOOKS = 2
const PACKETS = 2_000_000 * SCALE
const REPEATS = 3

const folder = mkdtempSync(join(SOCKETS, 'rx-vhost-scale-'))
const pathsTo = (role: Role, from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, n) => join(folder, `${role}-${from + n}`))

interface Traffic {
  devices: number
  /** Number of devices that have traffic. */
  busy: number
  /** CPU time of the back end per packet that is received and sent back. */
  nanoseconds: number
  megapackets: number
  /** Share of its core that the back end used. */
  load: number
}

/** Starts devices or drivers in steps, and measures their cost at each step. */
async function measureCost(role: Role, steps: number[]): Promise<ScaleCost[]> {
  return withBoth(role, async (backEnd, frontEnds) => {
    const costs: ScaleCost[] = []
    let [count, start] = [0, 0]
    for (const step of steps) {
      const paths = pathsTo(role, count, step)
      const { cpu } = await backEnd.look()
      await backEnd.listen(paths)
      if (role === 'echo') await frontEnds.connect(paths)
      count = step
      start += (await backEnd.look()).cpu - cpu
      await backEnd.collect()
      // Only the last two steps are used for slopes, so only they need the long wait.
      const settles = role === 'echo' && steps.indexOf(step) >= steps.length - 2
      const idleSeconds = step === steps.at(-1) ? IDLE_SECONDS : 2
      const left = await leaveAlone(backEnd, settles ? SETTLE_SECONDS : 1, idleSeconds)
      costs.push({ role, count, start, ...left })
    }
    return costs
  })
}

async function leaveAlone(
  backEnd: BackEnd,
  settleSeconds: number,
  idleSeconds: number,
): Promise<Omit<ScaleCost, 'role' | 'count' | 'start'>> {
  const { pid } = backEnd
  const anonymous = anonymousOf(pid)
  const { cpu: before } = await backEnd.look()
  await pause(settleSeconds * 1000)
  const settleCpu = (await backEnd.look()).cpu - before
  const anonymousAtRest = anonymousOf(pid)
  const { cpu, switches } = await idleWithout(backEnd, idleSeconds)
  const memory = { anonymous, anonymousAtRest, files: openFilesOf(pid) }
  return { ...memory, settleCpu, idleSeconds, idleCpu: cpu, idleSwitches: switches }
}

/** Measures idle cost. If V8 collects garbage meanwhile (which takes 30 ms), the measurement is repeated. */
async function idleWithout(backEnd: BackEnd, seconds: number): Promise<Usage> {
  for (let tries = 0; ; tries++) {
    const { collections } = await backEnd.look()
    await pause(500) // lets the back end fall asleep again
    const usage = await idleOf(backEnd.pid, seconds)
    if ((await backEnd.look()).collections === collections || tries === MOST_LOOKS) return usage
    console.error(
      `V8 collected garbage meanwhile (${usage.cpu.toFixed(1)} ms, ${usage.switches} switches): repeating`,
    )
  }
}

/** Measures the cost of a packet at each number of devices, with traffic on one device and with traffic on all. */
async function traffic(): Promise<Traffic[]> {
  return withBoth('echo', async (backEnd, frontEnds) => {
    const rows: Traffic[] = []
    for (const devices of DEVICES) {
      const paths = pathsTo('echo', frontEnds.count, devices)
      await backEnd.listen(paths)
      await frontEnds.connect(paths)
      for (const busy of devices === 1 ? [1] : [1, devices])
        rows.push(await echoes(backEnd, frontEnds, devices, busy))
    }
    return rows
  })
}

async function echoes(
  backEnd: BackEnd,
  frontEnds: FrontEnds,
  devices: number,
  busy: number,
): Promise<Traffic> {
  const slices: Traffic[] = []
  for (let n = 0; n <= REPEATS; n++) {
    const before = await backEnd.look()
    const { received, seconds } = await frontEnds.echo(PACKETS, { count: busy })
    const after = await backEnd.look()
    const cpu = after.cpu - before.cpu
    slices.push({
      devices,
      busy,
      nanoseconds: (cpu * 1e6) / received,
      megapackets: received / seconds / 1e6,
      load: cpu / 1000 / seconds,
    })
  }
  // The first run is a warm-up.
  const of = (value: (row: Traffic) => number): number => median(slices.slice(1).map(value))
  return {
    devices,
    busy,
    nanoseconds: of(row => row.nanoseconds),
    megapackets: of(row => row.megapackets),
    load: of(row => row.load),
  }
}

const names: Record<Role, string> = {
  echo: 'devices, each with a pipeline',
  listen: 'drivers that listen',
  net: 'net.Servers that listen',
}
const costColumns: Column<ScaleCost>[] = [
  { title: 'what', value: ({ role }) => names[role] },
  { title: 'how many', value: ({ count }) => count },
  { title: 'start, CPU ms each', value: ({ start, count }) => (start / count).toFixed(3) },
  { title: 'anonymous MiB', value: ({ anonymous }) => (anonymous / 1024).toFixed(1) },
  { title: 'MiB at rest', value: ({ anonymousAtRest }) => (anonymousAtRest / 1024).toFixed(1) },
  { title: 'open files', value: ({ files }) => files },
  { title: 'CPU ms before idle', value: ({ settleCpu }) => settleCpu.toFixed(1) },
  { title: 'idle s', value: ({ idleSeconds }) => idleSeconds },
  { title: 'CPU ms', value: ({ idleCpu }) => idleCpu.toFixed(2) },
  { title: 'switches', value: ({ idleSwitches }) => idleSwitches },
]
const trafficColumns: Column<Traffic>[] = [
  { title: 'devices', value: ({ devices }) => devices },
  { title: 'busy', value: ({ busy }) => busy },
  { title: 'CPU ns per packet', value: ({ nanoseconds }) => nanoseconds.toFixed(0) },
  { title: 'Mpps', value: ({ megapackets }) => megapackets.toFixed(2) },
  { title: 'load of its core', value: ({ load }) => `${(load * 100).toFixed(0)} %` },
]
const NOTE = 'A packet of 64 bytes is sent by a guest and echoed to the guest; it counts once.'

async function main(): Promise<boolean> {
  const wanted = (part: string): boolean => (values.only ?? part) === part
  const costs: ScaleCost[] = []
  const checks: Check[] = []
  if (wanted('devices')) {
    const devices = await measureCost('echo', DEVICES)
    costs.push(...devices)
    checks.push(...checkDevices(devices))
  }
  if (wanted('drivers')) {
    const [drivers, servers] = [await measureCost('listen', DRIVERS), await measureCost('net', DRIVERS)]
    costs.push(...drivers, ...servers)
    checks.push(...checkDrivers(drivers, servers))
  }
  const packets = wanted('traffic') ? await traffic() : []
  const judged = values.quick ? [] : checks
  const lines = judged.map(({ ok, text }, n) => `${ok ? 'ok' : 'not ok'} ${n + 1} - ${text}`)
  const tables = (table: <Row>(columns: readonly Column<Row>[], rows: readonly Row[]) => string): string =>
    [
      costs.length > 0 ? table(costColumns, costs) : '',
      packets.length > 0 ? table(trafficColumns, packets) : '',
    ]
      .filter(Boolean)
      .join('\n\n')
  console.log(`${tables(textTable)}\n${NOTE}\n\n${lines.join('\n')}`)
  const result = { machine: machine(), kept: costs, traffic: packets, checks: judged }
  const markdown = `${tables(markdownTable)}\n\n${NOTE}\n\n${lines.map(line => `- ${line}`).join('\n')}`
  saveResult(['scale', values.quick && 'quick', values.only].filter(Boolean).join('-'), result, markdown)
  return judged.every(({ ok }) => ok)
}

try {
  if (!(await main())) process.exitCode = 1
} catch (error) {
  console.error(error instanceof MissingError ? `bench:scale: ${error.message}` : error)
  process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
