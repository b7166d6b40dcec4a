// The demonstration of `npm start`: two embedded guests exchange numbered frames through the mirror, a third guest gets
// the copies, and all three check every byte. Each guest is a complete front end, with a Unix socket, a memfd and two
// rings.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { GuestPort } from 'rx-vhost/guest'
import { type Embedded, onEnd, summarize, until } from './run.js'

const MARK = 1_000_000 // resident memory after so many frames is compared with that at the end

/** Sends a number of `frames`, or for a number of `seconds`. Returns the exit status. */
export async function talk(
  { drivers, guests }: Embedded,
  frames: number | undefined,
  seconds: number,
): Promise<number> {
  const [a, b, monitor] = guests
  for (const guest of guests) guest.check()
  const enough = new AbortController()
  const timer = frames === undefined ? setTimeout(() => enough.abort(), seconds * 1000) : undefined
  onEnd(() => enough.abort())

  const started = performance.now()
  const elapsed = (): number => (performance.now() - started) / 1000
  const forwarded = (): number => a.report.received + b.report.received
  let atMark: number | undefined
  const rates = setInterval(() => {
    if (monitor.report.received >= MARK) atMark ??= resident()
    const rate = (forwarded() / elapsed() / 1000).toFixed(0)
    console.log(
      `${elapsed().toFixed(0)} s: forwarded ${forwarded()} (${rate} k/s), mirrored ${monitor.report.received}`,
    )
  }, 1000)

  const each = frames === undefined ? [] : [Math.ceil(frames / 2), Math.floor(frames / 2)]
  const generate = (guest: GuestPort, n: number): Promise<number> =>
    guest.generate({ frames: each[n], length: [64, 1514], source: n + 1, signal: enough.signal })
  const sent = (await Promise.all([a, b].map(generate))).reduce((sum, count) => sum + count)
  clearTimeout(timer)
  const arrived = (): number => forwarded() + monitor.report.received
  await until(() => arrived() >= 2 * sent)
  clearInterval(rates)

  const total = (what: 'reordered' | 'corrupted' | 'duplicated'): number =>
    guests.reduce((sum, { report }) => sum + report[what], 0)
  const { ports } = summarize(drivers.map(driver => ({ driver, sink: driver.toGuest() })))
  const dropped = ports.map(port => port.dropped).filter(drops => Object.keys(drops).length > 0)
  const [lost, reordered, corrupted] = [
    2 * sent - arrived(),
    total('reordered'),
    total('corrupted') + total('duplicated'),
  ]
  const leases = drivers.reduce(
    (sum, driver) => sum + driver.fromGuest().stats.held + driver.toGuest().stats.held,
    0,
  )
  const received = ports.reduce((sum, port) => sum + port.received, 0)
  console.log(
    `received ${received}, forwarded ${forwarded()}, mirrored ${monitor.report.received} in ${elapsed().toFixed(1)} s`,
  )
  console.log(
    `dropped by reason: ${dropped.length > 0 ? JSON.stringify(Object.assign({}, ...dropped)) : 'none'}`,
  )
  console.log(`lost ${lost}, reordered ${reordered}, corrupted ${corrupted}, leases left ${leases}`)
  const was = atMark === undefined ? '' : `, at the first million ${atMark.toFixed(1)} MiB`
  console.log(`resident after a gc: ${resident().toFixed(1)} MiB${was}`)
  return lost + reordered + corrupted + leases > 0 ? 1 : 0
}

/** Returns the resident memory after a garbage collection, in MiB. */
function resident(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage.rss() / 2 ** 20
}
