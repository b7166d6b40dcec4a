// retain() keeps a list of what it emitted, so that a buffer behind it can't leak .
import test from 'ava'
import { delay } from 'rxjs/operators'
import { release, retain } from '../../src/operators/index.js'
import { fakeFromGuest, fakePlane, frames } from '../../src/testing/index.js'

test('retain() releases what is still open when its subscription ends', t => {
  const plane = fakePlane()
  const from = fakeFromGuest(plane)
  const running = from.queue.pipe(retain(), delay(1e6), release()).subscribe()
  from.port.send(...frames(100))
  plane.loop.drain()
  t.is(plane.pool.leases, 100)
  running.unsubscribe()
  t.is(plane.pool.leases, 0)
})

test('retain() whose source completed releases when the end of the pipeline does', t => {
  const plane = fakePlane()
  const from = fakeFromGuest(plane)
  const running = from.queue.pipe(retain(), delay(1e6), release()).subscribe()
  from.port.send(...frames(100))
  plane.loop.drain()
  from.source.close()
  t.is(plane.pool.leases, 100)
  running.unsubscribe()
  t.is(plane.pool.leases, 0)
})
