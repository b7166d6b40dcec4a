// Shared by the examples: runs a pipeline between embedded guests as a demonstration, or between real front ends until
// Ctrl-C; prints the state of the ports; and ends in order.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as later } from 'node:timers/promises'
import { type DeviceStats, VhostDriver, type VhostSink } from 'rx-vhost'
import { GuestPort } from 'rx-vhost/guest'
import { type Observable, Subscription } from 'rxjs'

const DEADLINE_MS = 30_000

/** The pipeline of an example, between drivers. */
export type Pipeline = (...drivers: VhostDriver[]) => Observable<unknown>

/** Embedded guests, their drivers, and a folder that is removed at the end. */
export interface Embedded {
  drivers: VhostDriver[]
  guests: GuestPort[]
  folder: string
}

/** Runs `pipeline` between embedded guests with these names, and calls `show` when all are connected. */
export async function demonstrate<T>(
  names: readonly string[],
  pipeline: Pipeline,
  show: (embedded: Embedded) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-'))
  const drivers = names.map(name => new VhostDriver(join(folder, `${name}.sock`)))
  const running = pipeline(...drivers).subscribe()
  const guests = drivers.map(({ path }, n) => new GuestPort(path, { mac: `02:00:00:00:00:0${n + 1}` }))
  try {
    await Promise.all(guests.map(guest => guest.connect()))
    return await show({ drivers, guests, folder })
  } finally {
    for (const guest of guests) guest.close()
    running.unsubscribe()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Waits until `done()` is true. Returns false if that took too long. */
export async function until(done: () => boolean): Promise<boolean> {
  for (const end = Date.now() + DEADLINE_MS; Date.now() < end; await later(1)) if (done()) return true
  return false
}

export interface ServeOptions {
  /** Called when everything has stopped. By default it prints the counters of each port. */
  atEnd?: (drivers: VhostDriver[]) => unknown
  /** Prints the lines about the sockets; to standard error, if standard output has another use. */
  log?: (line: string) => void
}

/** Serves a front end at each path until Ctrl-C, or until the pipeline fails. */
export function serve(paths: readonly string[], pipeline: Pipeline, options: ServeOptions = {}): void {
  const { atEnd = printSummary, log = console.log } = options
  const drivers = paths.map(path => new VhostDriver(path))
  const all = new Subscription()
  const end = (): void => {
    all.unsubscribe()
    atEnd(drivers)
  }
  // The handlers are set before anything listens, because a reader of "listening" may end this process at once.
  onEnd(end)
  for (const driver of drivers) narrate(driver, log)
  const running = pipeline(...drivers).subscribe({
    error: error => {
      console.error(error.message)
      process.exitCode = 1
      end()
    },
  })
  all.add(running)
  for (const driver of drivers) if (!running.closed) all.add(reportFaults(driver))
}

export interface Port {
  driver: VhostDriver
  sink: VhostSink
}

export interface PortSummary {
  path: string
  received: number
  sent: number
  dropped: Record<string, number>
  stats: DeviceStats
}

/** For each guest: the packets from it, to it, and dropped on the way to it, by reason. */
export function summarize(ports: readonly Port[]): { ports: PortSummary[] } {
  return {
    ports: ports.map(({ driver, sink }) => {
      const { packets, drops } = sink.stats
      return {
        path: driver.path,
        received: driver.fromGuest().stats.packets,
        sent: packets,
        dropped: { ...drops },
        stats: driver.stats,
      }
    }),
  }
}

export function printSummary(drivers: readonly VhostDriver[]): void {
  console.log(JSON.stringify(summarize(drivers.map(driver => ({ driver, sink: driver.toGuest() })))))
}

/** The same, with the packets that operators dropped between the guests, by reason. */
export function printLimited(drivers: readonly VhostDriver[]): void {
  const { ports } = summarize(drivers.map(driver => ({ driver, sink: driver.toGuest() })))
  console.log(JSON.stringify({ ports, limited: drivers.map(driver => driver.fromGuest().stats.drops) }))
}

/** Calls `end` at the first SIGINT or SIGTERM. The process then ends, because nothing keeps it alive. */
export function onEnd(end: () => void): void {
  let ended = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      if (ended) process.exit(1)
      ended = true
      end()
    })
}

/** Prints when each port listens, and its faults. */
export function narrate(driver: VhostDriver, log: (line: string) => void = console.log): void {
  driver.events.subscribe(event => {
    if (event.type === 'listening' || event.type === 'connecting') log(`${event.type} ${event.path}`)
    else if (event.type !== 'closed') console.error(`${driver.path}: ${event.type} (${event.reason})`)
  })
}

/** Prints the faults of a driver's devices. It subscribes to the driver. */
export function reportFaults(driver: VhostDriver): Subscription {
  return driver.subscribe({
    next: device =>
      device.subscribe(event => {
        if (event.type === 'fault') console.error(`${driver.path}: ${event.error.message}`)
      }),
    error: () => {}, // the pipeline on the same driver reports it
  })
}
