// Packets in the backlog of a lossy sink are lent: account 0 is charged for them. Their drops and copies are still counted
// for the queue that they came from.
import test from 'ava'
import { drop, mapPackets, mirror, retain } from '../../src/operators/index.js'
import { fakeFromGuest, fakePlane, fakeToGuest, frames } from '../../src/testing/index.js'

const bench = () => {
  const plane = fakePlane()
  // The monitor's ring has no room, so it keeps what is mirrored.
  return { plane, from: fakeFromGuest(plane), monitor: fakeToGuest(plane) }
}

test('drop() behind a mirror is counted at the queue that the packets came from', t => {
  const { plane, from, monitor } = bench()
  from.queue.pipe(mirror(monitor.sink), drop('unwanted')).subscribe()
  from.port.send(...frames(3))
  plane.loop.drain()
  t.deepEqual(from.queue.stats.drops, { unwanted: 3 })
})

test('a copy that mapPackets() makes behind a mirror uses the credit of the queue', t => {
  const { plane, from, monitor } = bench()
  const running = from.queue
    .pipe(
      mirror(monitor.sink),
      mapPackets(packet => packet.setUint8(20, 1)),
      retain(),
    )
    .subscribe()
  from.port.send(...frames(3))
  plane.loop.drain()
  t.is(from.queue.stats.held, 3)
  running.unsubscribe()
  monitor.target.close()
  t.is(plane.pool.leases, 0)
})
