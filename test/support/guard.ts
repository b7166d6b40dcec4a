// A pipeline written once, its traffic, and three places to run it: rings in memory and virtual time, embedded guests,
// and (test/interop) testpmd. What comes out must be the same frames in the same order.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { firstValueFrom, type Observable } from 'rxjs'
import { delay, take, toArray } from 'rxjs/operators'
import { GuestPort } from '../../src/guest/index.js'
import { type Burst, type PacketSink, VhostDriver } from '../../src/index.js'
import { enqueue, filterPackets, mirror, release, retain } from '../../src/operators/index.js'
import { ethernet, marbles, tcp, udp } from '../../src/testing/index.js'

const IPV6 = 0x86dd
const IPV4 = 0x0800
const UDP = 17
const DNS = 53

/** No IPv6; a copy to the monitor; a millisecond later, all but DNS goes on. */
export function guard(from: Observable<Burst>, to: PacketSink, monitor: PacketSink): Observable<never> {
  return from.pipe(
    filterPackets(packet => packet.uint16(12) !== IPV6),
    mirror(monitor, { overflow: 'block' }),
    retain(),
    delay(1),
    release(),
    filterPackets(
      packet => packet.uint16(12) !== IPV4 || packet.uint8(23) !== UDP || packet.uint16(36) !== DNS,
    ),
    enqueue(to),
  )
}

/** What the guest sends: IPv6, TCP, DNS and other UDP, of many lengths. Fewer than a ring of 256 holds. */
export const traffic: readonly Buffer[] = Array.from({ length: 120 }, (_, n) => {
  const payload = Buffer.alloc((n * 97) % 1400, n)
  payload.write(`#${n}`)
  if (n % 5 === 1) return ethernet({ etherType: IPV6, payload })
  if (n % 5 === 2) return tcp({ fromPort: n, payload, flags: 'PA' })
  return udp({ fromPort: 1000 + n, toPort: n % 5 === 3 ? DNS : 4000, payload })
})

/** Frames as text, in the order of their arrival. */
export interface Outcome {
  to: string[]
  monitor: string[]
}

const text = (frames: readonly Uint8Array[]): string[] =>
  frames.map(frame => Buffer.from(frame).toString('hex'))

/** What must come out, worked out without a pipeline. */
export const expected: Outcome = {
  to: text(traffic.filter((_, n) => n % 5 !== 1 && n % 5 !== 3)),
  monitor: text(traffic.filter((_, n) => n % 5 !== 1)),
}

export const outcomeOf = (to: readonly Uint8Array[], monitor: readonly Uint8Array[]): Outcome => ({
  to: text(to),
  monitor: text(monitor),
})

/** In virtual time, with rings that have room now and then. */
export function throughMarbles(equal: (actual: unknown, expected: unknown) => unknown): Outcome {
  let outcome: Outcome | undefined
  marbles(
    h => {
      const [first, second] = [traffic.slice(0, 50), traffic.slice(50)]
      const from = h.fakeQueue('a---b', { frames: { a: first, b: second } })
      const to = h.fakeSink('   9----x', { posts: { x: 200 } })
      const monitor = h.fakeSink('x', { posts: { x: 200 } })
      h.expectBursts(guard(from.queue, to.sink, monitor.sink)).toBe('')
      h.flush()
      equal(h.plane.pool.leases, 0)
      outcome = outcomeOf(to.port.received, monitor.port.received)
    },
    { equal },
  )
  return outcome!
}

export interface Ports {
  folder: string
  paths: string[]
  drivers: VhostDriver[]
}

/** Runs `body` while the pipeline runs between three drivers, and checks that it leaves no packet behind. */
export async function withGuard<T>(body: (ports: Ports) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-guard-'))
  const paths = ['a', 'b', 'monitor'].map(name => join(folder, `${name}.sock`))
  const drivers = paths.map(path => new VhostDriver(path))
  const [a, b, monitor] = drivers
  const running = guard(a.fromGuest(), b.toGuest(), monitor.toGuest()).subscribe()
  try {
    return await body({ folder, paths, drivers })
  } finally {
    running.unsubscribe()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Between embedded guests. */
export const throughGuests = (): Promise<Outcome> =>
  withGuard(async ({ paths }) => {
    const guests = paths.map(path => new GuestPort(path))
    const [a, b, monitor] = guests
    const collect = (guest: GuestPort, frames: string[]): Promise<Uint8Array[]> =>
      firstValueFrom(guest.frames.pipe(take(frames.length), toArray()))
    try {
      await Promise.all(guests.map(guest => guest.connect()))
      const all = Promise.all([collect(b, expected.to), collect(monitor, expected.monitor)])
      for (let sent = 0; sent < traffic.length; ) {
        const count = a.sendBurst(traffic.slice(sent))
        sent += count
        if (count === 0) await a.room()
      }
      return outcomeOf(...(await all))
    } finally {
      for (const guest of guests) guest.close()
    }
  })

/** Resolves when each driver's device runs. */
export function allReady(drivers: readonly VhostDriver[]): Promise<unknown> {
  return Promise.all(
    drivers.map(
      driver =>
        new Promise<void>(resolve => {
          const watch = driver.subscribe(device =>
            device.subscribe(event => {
              if (event.type !== 'ready' && !(event.type === 'snapshot' && event.ready)) return
              resolve()
              queueMicrotask(() => watch.unsubscribe())
            }),
          )
        }),
    ),
  )
}
