// Guests at a learning switch in this process, whose devices' events are of interest: what stays in one place for the
// tests of memory that changes, of the MTU and of migrations.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { DeviceEvent, VhostDriverOptions } from 'rx-vhost'
import { Subscription } from 'rxjs'
import type { Port } from '../../../examples/run.js'
import { learningSwitch, makePort } from '../../../examples/switch.js'
import { guestImage } from './guest-image.js'
import { Guest, type GuestOptions, type QemuBuild } from './qemu.js'
import { timed } from './scenarios.js'

/** A port of the switch, and what the devices there have told, in order. */
export interface Place {
  port: Port
  events: DeviceEvent[]
  /** What its front ends said, and what they were answered, a line of JSON each. */
  trace: string[]
}

export interface Switched {
  guests: Guest[]
  places: Place[]
  folder: string
}

/** `incoming` is a path in the folder. */
export type SwitchedGuest = Partial<GuestOptions> & { driver?: VhostDriverOptions }

/** Boots a guest at each port, the first with number 1 unless it says otherwise; takes all down in the end. */
export async function withSwitch(
  t: ExecutionContext,
  qemu: QemuBuild,
  wanted: readonly SwitchedGuest[],
  body: (switched: Switched) => Promise<void>,
): Promise<void> {
  const image = guestImage()
  const folder = mkdtempSync(join(tmpdir(), 'rxvhost-switch-'))
  const running = new Subscription()
  const places = wanted.map(({ driver }, n): Place => {
    const port = makePort(join(folder, `port-${n}.sock`), driver)
    const events: DeviceEvent[] = []
    const trace: string[] = []
    running.add(port.driver.trace$.subscribe(message => trace.push(JSON.stringify(message))))
    running.add(port.driver.subscribe(one => one.subscribe(event => events.push(event))))
    return { port, events, trace }
  })
  running.add(learningSwitch(places.map(({ port }) => port)).subscribe())
  const started: Guest[] = []
  const start = async ({ driver: _, incoming, ...options }: SwitchedGuest, n: number): Promise<Guest> => {
    const path = places[n]!.port.driver.path
    const from = incoming === undefined ? {} : { incoming: `unix:${join(folder, incoming)}` }
    const guest = await Guest.start({ qemu, image, folder, path, number: n + 1, ...options, ...from })
    started.push(guest)
    return guest
  }
  try {
    const results = await timed(t, `${wanted.length} guests start`, () =>
      Promise.allSettled(wanted.map(start)),
    )
    const guests = results.map(result => {
      if (result.status === 'rejected') throw result.reason
      return result.value
    })
    await body({ guests, places, folder })
  } finally {
    await Promise.allSettled(started.map(guest => guest.stop()))
    running.unsubscribe()
    rmSync(folder, { recursive: true, force: true })
  }
}
