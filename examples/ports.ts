// What the examples share: the summary of their ports, and an orderly end by Ctrl-C or SIGTERM.
import type { DeviceStats, VhostDriver, VhostSink } from 'rx-vhost'
import type { Subscription } from 'rxjs'

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

/** Packets out of each guest, into it, and dropped on the way into it, by reason. */
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

/** Runs `end` at the first SIGINT or SIGTERM; the process then ends by itself, since nothing keeps it. */
export function onEnd(end: () => void): void {
  let ended = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      if (ended) process.exit(1)
      ended = true
      end()
    })
}

/** Says when each port is ready for a front end, and what goes wrong on it. */
export function narrate(driver: VhostDriver): void {
  driver.events.subscribe(event => {
    if (event.type === 'listening' || event.type === 'connecting') console.log(`${event.type} ${event.path}`)
    else if (event.type !== 'closed') console.error(`${driver.path}: ${event.type} (${event.reason})`)
  })
}

/** Prints faults of a driver's devices; counts as a subscription of the driver while it runs. */
export function reportFaults(driver: VhostDriver): Subscription {
  return driver.subscribe({
    next: device =>
      device.subscribe(event => {
        if (event.type === 'fault') console.error(`${driver.path}: ${event.error.message}`)
      }),
    error: () => {}, // the pipeline on the same driver tells it
  })
}
