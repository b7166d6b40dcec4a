// What the tests of the operators have in common: a guest that sends, one that receives, and lists of numbers.
import { finalize, map, type Observable } from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import { type Burst, HeldBurst } from '../../src/packet/burst.js'
import { HeldPacket, type Packet } from '../../src/packet/packet.js'
import { fakeFromGuest, fakePlane, fakeToGuest, frames, numberOf } from '../../src/testing/index.js'

export const upTo = (count: number, first = 0): number[] => Array.from({ length: count }, (_, i) => first + i)

/** A plane with one queue of each kind; `room` of the one that receives. */
export function bench(options: Parameters<typeof fakeFromGuest>[1] = {}, room = 1 << 20, strict = true) {
  const plane = fakePlane({ strict })
  const from = fakeFromGuest(plane, { size: 1 << 16, ...options })
  const to = fakeToGuest(plane, { size: 1 << 20, room })
  let sent = 0
  const send = (count: number): void => {
    sent += from.port.send(...frames(count, sent))
  }
  return {
    plane,
    from,
    to,
    queue: from.queue,
    /** The guest sends `count` more frames, numbered on. */
    send,
    /** Sends and runs the event loop until nothing is left to do. */
    run: (count: number): void => {
      send(count)
      plane.loop.drain()
    },
    got: (): number[] => to.port.received.map(numberOf),
    drops: (): Readonly<Record<string, number>> => from.queue.stats.drops,
    leases: (): number => plane.pool.leases,
  }
}

/** Notes the numbers of each burst or packet; releases leases. */
export function collector() {
  const all: number[][] = []
  const note = (item: Burst | Packet | HeldBurst | HeldPacket): void => {
    if (Symbol.iterator in item) all.push([...item].map(numberOf))
    else all.push([numberOf(item)])
    if (item instanceof HeldBurst || item instanceof HeldPacket) item.release()
  }
  return { all, note, flat: () => all.flat() }
}

/**
 * A queue in virtual time. `source`: a marble per burst that the guest sends, a digit says how many packets; `|` is the
 * end of its device. `result`: each emission's numbers as a string, '0 1 2', by the letters of `values`.
 */
export function marbles(
  t: { deepEqual(actual: unknown, expected: unknown): void; is(actual: unknown, expected: unknown): void },
  operator: (source: Observable<Burst>) => Observable<Burst | Packet>,
  diagram: { source: string; result: string; values?: Record<string, string>; unsubscribe?: string },
): ReturnType<typeof bench> {
  const made = bench()
  new TestScheduler((actual, expected) => t.deepEqual(actual, expected)).run(({ cold, expectObservable }) => {
    const guest = cold(diagram.source).subscribe({
      next: count => made.run(Number(count)),
      complete: () => {
        made.from.source.close()
        made.plane.loop.drain()
      },
    })
    const result = made.queue.pipe(
      operator,
      map(item => (Symbol.iterator in item ? [...item].map(numberOf).join(' ') : String(numberOf(item)))),
      finalize(() => guest.unsubscribe()),
    )
    expectObservable(result, diagram.unsubscribe).toBe(diagram.result, diagram.values)
  })
  t.is(made.leases(), 0)
  return made
}
