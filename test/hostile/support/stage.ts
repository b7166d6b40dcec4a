// The back end under attack: a real VhostDriver on a real socket, with a consumer of what comes out of its guests and
// a feeder of what goes into them. Beside it in the same process, devices that behave: they must not notice anything.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Burst, type DeviceEvent, VhostDriver, type VhostDriverOptions } from 'rx-vhost'
import { GuestPort } from 'rx-vhost/guest'
import { enqueue } from 'rx-vhost/operators'
import { Subscription } from 'rxjs'
import { until } from './conditions.js'
import { type FrontEndOptions, HostileFrontEnd } from './front-end.js'

export const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-hostile-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
let sockets = 0
export const newPath = (): string => join(folder, `${++sockets}.sock`)

export class Stage {
  readonly path = newPath()
  readonly driver: VhostDriver
  /** Of all connections, in order; emptied at the beginning of a case. */
  readonly events: DeviceEvent[] = []
  /** Private copies of what came out of guests, likewise. */
  readonly delivered: Uint8Array[] = []
  /** Instead of the ordinary consumer, which copies each frame. */
  onBurst: ((burst: Burst) => void) | undefined
  readonly #subscriptions = new Subscription()
  readonly #feederDriver = new VhostDriver(newPath())
  readonly #feeder: GuestPort
  #connected = 0

  constructor(options: VhostDriverOptions = {}) {
    this.driver = new VhostDriver(this.path, options)
    this.#subscriptions.add(
      this.driver.subscribe(device => {
        this.#connected++
        device.subscribe({ next: event => this.events.push(event), complete: () => this.#connected-- })
      }),
    )
    this.#subscriptions.add(this.driver.fromGuest().subscribe(burst => this.#take(burst)))
    const feed = this.#feederDriver.fromGuest().pipe(enqueue(this.driver.toGuest()))
    this.#subscriptions.add(feed.subscribe())
    this.#feeder = new GuestPort(this.#feederDriver.path)
  }

  async open(): Promise<this> {
    await this.#feeder.connect()
    return this
  }

  close(): void {
    this.#feeder.close()
    this.#subscriptions.unsubscribe()
  }

  /** Connected front ends, as the driver sees them. */
  get connected(): number {
    return this.#connected
  }

  /** Sends a frame towards the front end that is connected. */
  feed(frame: Uint8Array): void {
    if (!this.#feeder.send(frame)) throw new Error('the feeder has no room')
  }

  get drops(): { fromGuest: Readonly<Record<string, number>>; toGuest: Readonly<Record<string, number>> } {
    return { fromGuest: this.driver.fromGuest().stats.drops, toGuest: this.driver.toGuest().stats.drops }
  }

  /** A front end that has connected, once the driver has noticed. */
  async connect(options?: FrontEndOptions): Promise<HostileFrontEnd> {
    await this.idle()
    const front = new HostileFrontEnd(this.path, options)
    await until('the connection to be accepted', () => this.#connected === 1)
    return front
  }

  /** Nobody is connected any more. */
  async idle(): Promise<void> {
    await until('the last connection to be over', () => this.#connected === 0)
  }

  #take(burst: Burst): void {
    if (this.onBurst) this.onBurst(burst)
    else for (const packet of burst) this.delivered.push(packet.toBuffer())
  }
}

/** Two devices that behave, one's frames forwarded to the other: whatever else happens here, all of them arrive. */
export class Sibling {
  readonly #drivers = [new VhostDriver(newPath()), new VhostDriver(newPath())]
  readonly #guests = this.#drivers.map(driver => new GuestPort(driver.path))
  readonly #running: Subscription
  #moved = 0

  constructor() {
    const [from, to] = this.#drivers
    this.#running = from.fromGuest().pipe(enqueue(to.toGuest())).subscribe()
    this.#running.add(to.subscribe())
  }

  async open(): Promise<this> {
    await Promise.all(this.#guests.map(guest => guest.connect()))
    this.#guests[1].check()
    return this
  }

  close(): void {
    for (const guest of this.#guests) guest.close()
    this.#running.unsubscribe()
  }

  /** Resolves when so many frames more have arrived; throws if one was lost, torn or out of order. */
  async move(frames: number): Promise<void> {
    if (frames === 0) return
    const [from, to] = this.#guests
    this.#moved += frames
    const all = this.#moved
    await from.generate({ frames, length: [60, 1500] })
    const report = await to.whenReceived(all)
    const { lost, reordered, duplicated, corrupted, foreign } = report
    if (lost + reordered + duplicated + corrupted + foreign > 0 || report.received !== all)
      throw new Error(`the sibling device suffered: ${JSON.stringify(report)}`)
  }
}
