// One budget per turn of the event loop, shared by all queues.
import test from 'ava'
import { TURN_MS, VISIT_PACKETS } from '../../src/data/turn/scheduler.js'
import { enqueue } from '../../src/operators/index.js'
import { fakeFromGuest, fakePlane, fakeToGuest, frame } from '../../src/testing/index.js'

test('a slow subscriber gets one burst a turn, and other queues are served in between', t => {
  const plane = fakePlane()
  const [slow, quick] = [fakeFromGuest(plane, { burst: 32 }), fakeFromGuest(plane, { burst: 32 })]
  slow.port.sendSame(frame(), 320)
  quick.port.sendSame(frame(), 3200)
  const order: string[] = []
  slow.queue.subscribe(() => {
    order.push('slow')
    plane.loop.time += TURN_MS
  })
  quick.queue.subscribe(() => {
    order.push('quick')
    plane.loop.time += TURN_MS / 4
  })
  plane.loop.drain()
  t.is(order.length, 110)
  const until = order.lastIndexOf('slow')
  const longest = order
    .slice(0, until)
    .join()
    .split('quick')
    .reduce((most, run) => Math.max(most, run.split('slow').length - 1), 0)
  t.is(longest, 1, 'never two slow bursts in a row while the quick one has packets')
})

test('a turn ends soon after its budget, however much there is to do', t => {
  const plane = fakePlane()
  const sources = Array.from({ length: 10 }, () => fakeFromGuest(plane, { poll: 'interrupt', burst: 32 }))
  let worst = 0
  for (const { port, queue } of sources) {
    port.sendSame(frame(), 3200)
    queue.subscribe(() => {
      plane.loop.time += 0.1
    })
  }
  while (!plane.loop.idle) {
    const before = plane.loop.time
    plane.loop.turn()
    worst = Math.max(worst, plane.loop.time - before)
  }
  t.true(worst < TURN_MS + 0.2, `${worst} ms`)
  t.is(
    sources.reduce((sum, { queue }) => sum + queue.stats.packets, 0),
    32_000,
  )
})

test('equal queues get equal shares within any turn: a visit moves a bounded number of packets', t => {
  const plane = fakePlane()
  const sources = Array.from({ length: 4 }, () => fakeFromGuest(plane))
  for (const { port, queue } of sources) {
    port.sendSame(frame(), 100_000)
    queue.subscribe(() => {
      plane.loop.time += 0.013
    })
  }
  for (let i = 0; i < 200; i++) {
    plane.loop.turn()
    const moved = sources.map(({ queue }) => queue.stats.packets)
    t.true(Math.max(...moved) - Math.min(...moved) <= 2 * VISIT_PACKETS, moved.join())
  }
})

test('a guest that posts no buffers stalls only its own source', t => {
  const plane = fakePlane({ bytes: 8 << 20 })
  const [a, b] = [fakeFromGuest(plane), fakeFromGuest(plane)]
  const [stuck, open] = [fakeToGuest(plane), fakeToGuest(plane, { room: 1e9, size: 1e9, record: false })]
  a.queue.pipe(enqueue(stuck.sink)).subscribe()
  b.queue.pipe(enqueue(open.sink)).subscribe()
  a.port.sendSame(frame(), 5000)
  b.port.sendSame(frame(), 5000)
  plane.loop.drain()
  t.is(open.port.receivedCount, 5000)
  t.is(a.queue.stats.packets, 1024)
  t.is(a.port.waiting, 5000 - 1024)
  stuck.port.post(10)
  plane.loop.drain()
  t.is(stuck.port.receivedCount, 10)
})
