// Drivers at sockets in a folder of their own, and guests that connect to them. Everything goes when the test ends.
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { Subscription } from 'rxjs'
import type { DeviceEvent } from '../../../src/device/events.js'
import { type GuestOptions, GuestPort } from '../../../src/guest/index.js'
import { VhostDriver, type VhostDriverOptions } from '../../../src/index.js'
import { folder, turn, turns, until } from '../../transport/sockets.js'

export { folder, turn, turns, until }

export interface Scene {
  folder: string
  /** A driver at `<name>.sock`. */
  driver(name: string, options?: VhostDriverOptions): VhostDriver
  /** A guest that is connected to it; its device runs. */
  guest(driver: VhostDriver, options?: GuestOptions): Promise<GuestPort>
  /** Keeps until the end of the test. */
  running(subscription: Subscription): Subscription
}

export function scene(t: ExecutionContext): Scene {
  const home = folder(t)
  const ends: (() => void)[] = []
  t.teardown(() => {
    for (const end of ends.reverse()) end()
  })
  return {
    folder: home,
    driver: (name, options) => new VhostDriver(join(home, `${name}.sock`), options),
    async guest({ path }, options) {
      const port = new GuestPort(path, options)
      ends.push(() => port.close())
      await port.connect()
      return port
    },
    running(subscription) {
      ends.push(() => subscription.unsubscribe())
      return subscription
    },
  }
}

/** All events of a driver's devices, in order, and a wait for one. Counts as a subscription of the driver. */
export function watchEvents(driver: VhostDriver): { events: DeviceEvent[]; subscription: Subscription } {
  const events: DeviceEvent[] = []
  const subscription = driver.subscribe(device => {
    device.subscribe(event => events.push(event))
  })
  return { events, subscription }
}

export const intact = { lost: 0, reordered: 0, duplicated: 0, corrupted: 0, foreign: 0 }
