// A device that goes away while its queues are in use: nothing of one queue reaches another.
import test from 'ava'
import { concat, defer, Subject } from 'rxjs'
import { retry, take } from 'rxjs/operators'
import { SinkGroup } from '../../src/data/sink/group.js'
import { SourceGroup } from '../../src/data/source/group.js'
import { QueuePairs } from '../../src/device/net/queue-pairs.js'
import type { DeviceSession } from '../../src/device/session.js'
import type { Burst, PacketSink } from '../../src/index.js'
import { enqueue, filterPackets } from '../../src/operators/index.js'
import type { HeldBurst } from '../../src/packet/burst.js'
import { toWritable } from '../../src/streams/index.js'
import { FakePort } from '../../src/testing/fake-port.js'
import { fakeFromGuest, fakePlane } from '../../src/testing/fake-queues.js'

const frame = new Uint8Array(64)

test('a subscriber that comes as a device ends is completed, and gets no packets of the next device', t => {
  const plane = fakePlane()
  const session = { port: () => new FakePort(plane.pool), tell() {} }
  const ofDriver = new SourceGroup(plane)
  const pairs = new QueuePairs(session as unknown as DeviceSession, {
    sharedWith: () => ofDriver,
    newSource: () => new SourceGroup(plane),
    newSink: () => new SinkGroup(plane),
  })
  pairs.ringState(0, true)
  const [queue, sink] = [pairs.fromGuest(), pairs.toGuest()]
  const other = fakeFromGuest(plane)
  other.port.send(frame, frame, frame)
  let [subscribed, completed, packets] = [0, 0, 0]
  // The first part is over when its packets have left, or were dropped: by the end of the device, since its ring is full.
  const second = defer(() => {
    subscribed++
    return queue
  })
  concat(other.queue.pipe(take(1), enqueue(sink)), second).subscribe({
    next: (burst: Burst) => {
      packets += burst.length
    },
    complete: () => {
      completed++
    },
  })
  plane.loop.drain()
  t.is(subscribed, 0)
  pairs.end()
  plane.loop.drain()
  t.deepEqual([subscribed, completed], [1, 1])
  const next = new FakePort(plane.pool)
  ofDriver.attach({ port: () => next, flows: undefined, used: [0], several: false } as never)
  next.send(frame)
  plane.loop.drain()
  t.is(packets, 0)
})

test('packets that an operator threw at are counted for no other queue, even if the sink did not ask', async t => {
  const plane = fakePlane({ strict: false })
  const bursts = new Subject<Burst>()
  const throws = filterPackets(() => {
    throw new Error('predicate')
  })
  bursts.pipe(throws, retry()).subscribe()
  const sink = {
    next() {},
    accept(burst: Burst) {
      bursts.next(burst)
      return true
    },
    whenDrained(drained: () => void) {
      drained()
      return () => {}
    },
    use: () => () => {},
  }
  const [a, b] = [fakeFromGuest(plane), fakeFromGuest(plane)]
  a.port.send(frame, frame)
  const held: HeldBurst[] = []
  a.queue.subscribe(burst => held.push(burst.retain()))
  plane.loop.drain()
  const writable = toWritable(sink as unknown as PacketSink)
  await new Promise<void>(resolve => writable.write(held[0], () => resolve()))
  b.port.send(frame, frame)
  let packets = 0
  b.queue.subscribe(burst => {
    packets += burst.length
  })
  plane.loop.drain()
  t.is(packets, 2)
  t.deepEqual(b.queue.stats.drops, {})
})
