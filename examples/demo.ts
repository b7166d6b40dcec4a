// The demonstration behind `npm start`: two embedded guests exchange numbered frames through the mirror, a third gets
// the copies, and all three check every byte. Each guest is a front end of its own: a Unix socket, a memfd, two rings.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Overflow, VhostDriver } from 'rx-vhost'
import { GuestPort, type Report } from 'rx-vhost/guest'
import type { Observable } from 'rxjs'
import { onEnd } from './ports.js'

const MARK = 1_000_000 // resident memory is compared between here and the end
const DEADLINE_MS = 10_000 // for the last frames to arrive, and without progress

type Mirror = (a: VhostDriver, b: VhostDriver, monitor: VhostDriver, overflow: Overflow) => Observable<never>

export interface DemoOptions {
  frames?: number
  seconds: number
}

export async function runDemo(mirrorBetween: Mirror, { frames, seconds }: DemoOptions): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-'))
  const drivers = ['a', 'b', 'monitor'].map(name => new VhostDriver(join(folder, `${name}.sock`)))
  const [a, b, monitor] = drivers
  const running = mirrorBetween(a, b, monitor, 'block').subscribe()
  const guests = drivers.map(({ path }, n) => new GuestPort(path, { mac: `02:00:00:00:00:0${n + 1}` }))
  try {
    await Promise.all(guests.map(guest => guest.connect()))
    for (const guest of guests) guest.check()
    return await talk(guests, drivers, frames, seconds)
  } finally {
    for (const guest of guests) guest.close()
    running.unsubscribe()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function talk(
  guests: GuestPort[],
  drivers: VhostDriver[],
  frames: number | undefined,
  seconds: number,
) {
  const enough = new AbortController()
  const timer = frames === undefined ? setTimeout(() => enough.abort(), seconds * 1000) : undefined
  onEnd(() => enough.abort())
  const memory = new MemoryMark()
  const started = performance.now()
  const rates = setInterval(() => {
    memory.look(guests[2].report.received)
    printRate(guests, started)
  }, 1000)
  const each = frames === undefined ? undefined : [Math.ceil(frames / 2), Math.floor(frames / 2)]
  const sent = await Promise.all(
    guests
      .slice(0, 2)
      .map((guest, n) =>
        guest.generate({ frames: each?.[n], length: [64, 1514], source: n + 1, signal: enough.signal }),
      ),
  )
  clearTimeout(timer)
  await settle(guests, sent)
  clearInterval(rates)
  return summary(guests, drivers, sent, memory, (performance.now() - started) / 1000)
}

/** Waits until every frame has arrived, or nothing has for a while. */
async function settle([a, b, monitor]: GuestPort[], [fromA, fromB]: number[]): Promise<void> {
  const all = Promise.all([b.whenReceived(fromA), a.whenReceived(fromB), monitor.whenReceived(fromA + fromB)])
  let timer: NodeJS.Timeout | undefined
  const late = new Promise(resolve => {
    timer = setTimeout(resolve, DEADLINE_MS)
  })
  await Promise.race([all, late])
  clearTimeout(timer)
  all.catch(() => {}) // closing the guests ends a wait that was given up
}

function printRate([a, b, monitor]: GuestPort[], started: number): void {
  const seconds = (performance.now() - started) / 1000
  const forwarded = a.report.received + b.report.received
  console.log(
    `${seconds.toFixed(0)} s: forwarded ${forwarded} (${rate(forwarded, seconds)}), mirrored ${monitor.report.received}`,
  )
}

const rate = (count: number, seconds: number): string => `${(count / seconds / 1000).toFixed(0)} k/s`
const total = (reports: Report[], what: 'lost' | 'reordered' | 'corrupted' | 'duplicated'): number =>
  reports.reduce((sum, report) => sum + report[what], 0)

function summary(
  guests: GuestPort[],
  drivers: VhostDriver[],
  sent: number[],
  memory: MemoryMark,
  seconds: number,
) {
  const reports = guests.map(guest => guest.report)
  const [a, b, monitor] = reports.map(report => report.received)
  const received = drivers.reduce((sum, driver) => sum + driver.fromGuest().stats.packets, 0)
  const dropped: Record<string, number> = {}
  for (const driver of drivers)
    for (const [reason, count] of Object.entries(driver.toGuest().stats.drops))
      dropped[reason] = (dropped[reason] ?? 0) + count
  const missing = 2 * (sent[0] + sent[1]) - a - b - monitor
  const leases = drivers.reduce(
    (sum, driver) => sum + driver.fromGuest().stats.held + driver.toGuest().stats.held,
    0,
  )
  const bad = {
    lost: missing,
    reordered: total(reports, 'reordered'),
    corrupted: total(reports, 'corrupted') + total(reports, 'duplicated'),
  }
  console.log(`received ${received}, forwarded ${a + b}, mirrored ${monitor} in ${seconds.toFixed(1)} s`)
  console.log(`dropped by reason: ${Object.keys(dropped).length > 0 ? JSON.stringify(dropped) : 'none'}`)
  console.log(
    `lost ${bad.lost}, reordered ${bad.reordered}, corrupted ${bad.corrupted}, leases left ${leases}`,
  )
  const grown = memory.compare()
  console.log(grown)
  return bad.lost + bad.reordered + bad.corrupted + leases > 0 ? 1 : 0
}

/** Resident memory after a gc, at the first million frames and at the end. */
class MemoryMark {
  readonly #collect: () => void
  #marked: number | undefined

  constructor() {
    setFlagsFromString('--expose-gc')
    this.#collect = runInNewContext('gc') as () => void
  }

  look(frames: number): void {
    if (this.#marked === undefined && frames >= MARK) this.#marked = this.#resident()
  }

  compare(): string {
    const now = this.#resident()
    const was = this.#marked === undefined ? '' : `, at the first million ${this.#marked.toFixed(1)} MiB`
    return `resident after a gc: ${now.toFixed(1)} MiB${was}`
  }

  #resident(): number {
    this.#collect()
    return process.memoryUsage.rss() / 2 ** 20
  }
}
