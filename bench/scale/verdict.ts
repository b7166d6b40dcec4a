// Checks the limits for a thousand devices and for thousands of drivers. Slopes are computed between the last two
// steps, so that the base cost of a process is not included.
import type { ScaleCost } from './usage.js'

export interface Check {
  ok: boolean
  text: string
}

/** Maximum CPU time to start a device. */
const START_MS = 1.5
/** Maximum memory per device, and per listening driver. */
const DEVICE_KIB = 64
const DRIVER_KIB = 16
/** Maximum cost of 1,000 idle devices in ten seconds. */
const IDLE_CPU_MS = 10
const IDLE_SWITCHES = 20

function slope(rows: ScaleCost[], value: (row: ScaleCost) => number): number {
  const [from, to] = rows.slice(-2)
  return (value(to) - value(from)) / (to.count - from.count)
}

const kibibytes = (rows: ScaleCost[]): number => slope(rows, ({ anonymous }) => anonymous)
const kibibytesAtRest = (rows: ScaleCost[]): number => slope(rows, ({ anonymousAtRest }) => anonymousAtRest)

const atMost = (what: string, value: number, limit: number, unit: string): Check => ({
  ok: value <= limit,
  text: `${what}: ${value.toFixed(unit === '' ? 0 : 2)}${unit}, at most ${limit}${unit}`,
})

export function checkDevices(rows: ScaleCost[]): Check[] {
  const { count, start, idleSeconds, idleCpu, idleSwitches } = rows[rows.length - 1]
  const idle = `${count} idle devices, ${idleSeconds} s`
  return [
    atMost('CPU to start a device', start / count, START_MS, ' ms'),
    atMost('anonymous memory of a device, as a slope', kibibytes(rows), DEVICE_KIB, ' KiB'),
    atMost(
      'anonymous memory of a device after V8 has freed memory, as a slope',
      kibibytesAtRest(rows),
      DEVICE_KIB,
      ' KiB',
    ),
    atMost(`${idle}, CPU`, idleCpu, IDLE_CPU_MS, ' ms'),
    atMost(`${idle}, voluntary switches`, idleSwitches, IDLE_SWITCHES, ''),
  ]
}

export function checkDrivers(rows: ScaleCost[], servers: ScaleCost[]): Check[] {
  const { count, idleSeconds, idleSwitches } = rows[rows.length - 1]
  const beside = `a net.Server's is ${kibibytes(servers).toFixed(2)} KiB`
  return [
    atMost(`memory of a driver that listens, as a slope (${beside})`, kibibytes(rows), DRIVER_KIB, ' KiB'),
    atMost(`${count} drivers that listen, ${idleSeconds} s, voluntary switches`, idleSwitches, 0, ''),
  ]
}
