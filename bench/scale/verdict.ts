// What must hold of a thousand devices and of thousands of drivers. Slopes are taken between the last two steps, so that
// what a process costs anyhow is none of it.
import type { Kept } from './usage.js'

export interface Check {
  ok: boolean
  text: string
}

/** Of CPU, for each device, to start it. */
const START_MS = 1.5
/** For each device, and for each driver that merely listens. */
const DEVICE_KIB = 64
const DRIVER_KIB = 16
/** Of 1,000 devices that nobody uses, in ten seconds. */
const IDLE_CPU_MS = 10
const IDLE_SWITCHES = 20

function slope(rows: Kept[], value: (row: Kept) => number): number {
  const [from, to] = rows.slice(-2)
  return (value(to) - value(from)) / (to.count - from.count)
}

const kibibytes = (rows: Kept[]): number => slope(rows, ({ anonymous }) => anonymous)
const kibibytesAtRest = (rows: Kept[]): number => slope(rows, ({ anonymousAtRest }) => anonymousAtRest)

const atMost = (what: string, value: number, limit: number, unit: string): Check => ({
  ok: value <= limit,
  text: `${what}: ${value.toFixed(unit === '' ? 0 : 2)}${unit}, at most ${limit}${unit}`,
})

export function checkDevices(rows: Kept[]): Check[] {
  const { count, start, idleSeconds, idleCpu, idleSwitches } = rows[rows.length - 1]
  const idle = `${count} idle devices, ${idleSeconds} s`
  return [
    atMost('CPU to start a device', start / count, START_MS, ' ms'),
    atMost('anonymous memory of a device, as a slope', kibibytes(rows), DEVICE_KIB, ' KiB'),
    atMost('the same once V8 has settled', kibibytesAtRest(rows), DEVICE_KIB, ' KiB'),
    atMost(`${idle}, CPU`, idleCpu, IDLE_CPU_MS, ' ms'),
    atMost(`${idle}, voluntary switches`, idleSwitches, IDLE_SWITCHES, ''),
  ]
}

export function checkDrivers(rows: Kept[], servers: Kept[]): Check[] {
  const { count, idleSeconds, idleSwitches } = rows[rows.length - 1]
  const beside = `a net.Server's is ${kibibytes(servers).toFixed(2)} KiB`
  return [
    atMost(`memory of a driver that listens, as a slope (${beside})`, kibibytes(rows), DRIVER_KIB, ' KiB'),
    atMost(`${count} drivers that listen, ${idleSeconds} s, voluntary switches`, idleSwitches, 0, ''),
  ]
}
