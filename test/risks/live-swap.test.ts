// Risk: what is under way when a pipeline is swapped for another. switchMap a thousand times under traffic, from outside
// (between bursts) and from inside a packet's callback (in the middle of one): what nobody was given goes to the next.
import test from 'ava'
import { merge, type Observable, Subject } from 'rxjs'
import { startWith, switchMap } from 'rxjs/operators'
import { dataPlane } from '../../src/data/env.js'
import type { GuestPort } from '../../src/guest/index.js'
import type { Burst, VhostSink } from '../../src/index.js'
import { enqueue, filterPackets, release, retain, tapPackets } from '../../src/operators/index.js'
import { intact, scene } from './support/scene.js'

const SWAPS = 1000

test.beforeEach(t => t.timeout(90_000))

/** Swaps two pipelines until it was done SWAPS times; `swapAfter` calls `swap` when it likes. */
async function swapUnderTraffic(
  t: Parameters<typeof scene>[0],
  pipelines: (
    sink: VhostSink,
    seen: (count: number) => void,
  ) => ((from: Observable<Burst>) => Observable<never>)[],
  between: boolean,
): Promise<void> {
  const { driver, guest, running } = scene(t)
  const [a, b] = [driver('a'), driver('b')]
  const swap = new Subject<number>()
  let swaps = 0
  let packets = 0
  const enough = new AbortController()
  const next = (): void => {
    swap.next(++swaps)
  }
  const each = pipelines(b.toGuest(), count => {
    packets += count
    // More than a burst: a swap in its middle gives it to the next pipeline from its first packet on.
    if (between || swaps >= SWAPS || packets < 101) return
    packets = 0
    next()
    if (swaps === SWAPS) enough.abort()
  })
  // switchMap leaves the old pipeline before it enters the new one: without this, the drivers would close in between.
  running(merge(a, b).subscribe())
  running(
    swap
      .pipe(
        startWith(0),
        switchMap(n => each[n % each.length](a.fromGuest())),
      )
      .subscribe(),
  )
  const [from, to]: GuestPort[] = [await guest(a), await guest(b)]
  to.check()
  const sending = from.generate({ length: [64, 1514], source: 7, signal: enough.signal })
  while (between && swaps < SWAPS) {
    const { received } = to.report
    next()
    await to.whenReceived(received + 1)
  }
  if (between) enough.abort()
  const sent = await sending
  const report = await to.whenReceived(sent)
  t.log(`${sent} frames over ${swaps} swaps`)
  t.like(report, { ...intact, received: sent })
  t.true(swaps >= SWAPS)
  t.deepEqual([a.fromGuest().stats.drops, b.toGuest().stats.drops], [{}, {}])
  t.is(dataPlane().pool.leases, 0)
}

test.serial('between bursts', t =>
  swapUnderTraffic(
    t,
    sink => [
      from => from.pipe(enqueue(sink)),
      from =>
        from.pipe(
          filterPackets(packet => packet.length > 0),
          enqueue(sink),
        ),
    ],
    true,
  ),
)

test.serial('from inside a packet’s callback, in the middle of a burst', t =>
  swapUnderTraffic(
    t,
    (sink, seen) => [
      from =>
        from.pipe(
          tapPackets(() => seen(1)),
          enqueue(sink),
        ),
      from =>
        from.pipe(
          filterPackets(() => {
            seen(1)
            return true
          }),
          enqueue(sink),
        ),
    ],
    false,
  ),
)

test.serial('to and from pipelines that hold leases', t =>
  swapUnderTraffic(
    t,
    sink => [from => from.pipe(retain(), release(), enqueue(sink)), from => from.pipe(enqueue(sink))],
    true,
  ),
)
