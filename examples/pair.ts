// What the examples share that put a pipeline between two guests: embedded ones, which are handed to a demonstration, or
// real front ends, until Ctrl-C.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as later } from 'node:timers/promises'
import { VhostDriver } from 'rx-vhost'
import { GuestPort } from 'rx-vhost/guest'
import { type Observable, Subscription } from 'rxjs'
import { narrate, onEnd, reportFaults, summarize } from './ports.js'

const DEADLINE_MS = 30_000

export type Between = (a: VhostDriver, b: VhostDriver) => Observable<never>

export interface Embedded {
  drivers: [a: VhostDriver, b: VhostDriver]
  guests: [a: GuestPort, b: GuestPort]
}

/** Runs `show` with two embedded guests, of which the second checks what it receives. */
export async function demonstrate(
  between: Between,
  show: (embedded: Embedded) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-'))
  const drivers: Embedded['drivers'] = [
    new VhostDriver(join(folder, 'a.sock')),
    new VhostDriver(join(folder, 'b.sock')),
  ]
  const running = between(...drivers).subscribe()
  const guests: Embedded['guests'] = [new GuestPort(drivers[0].path), new GuestPort(drivers[1].path)]
  try {
    await Promise.all(guests.map(guest => guest.connect()))
    guests[1].check()
    await show({ drivers, guests })
  } finally {
    for (const guest of guests) guest.close()
    running.unsubscribe()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Waits until `done`; false: it took too long. */
export async function until(done: () => boolean): Promise<boolean> {
  for (const end = Date.now() + DEADLINE_MS; Date.now() < end; await later(1)) if (done()) return true
  return false
}

/** Serves real front ends until Ctrl-C, and prints what each port counted. */
export function serve(paths: readonly string[], between: Between): void {
  const [a, b] = paths.map(path => new VhostDriver(path))
  const ports = [a, b].map(driver => ({ driver, sink: driver.toGuest() }))
  const all = new Subscription()
  const end = (): void => {
    all.unsubscribe()
    const { ports: counts } = summarize(ports)
    console.log(
      JSON.stringify({ ports: counts, limited: ports.map(({ driver }) => driver.fromGuest().stats.drops) }),
    )
  }
  onEnd(end)
  for (const driver of [a, b]) narrate(driver)
  const running = between(a, b).subscribe({
    error: error => {
      console.error(error.message)
      process.exitCode = 1
      end()
    },
  })
  all.add(running)
  for (const driver of [a, b]) if (!running.closed) all.add(reportFaults(driver))
}
