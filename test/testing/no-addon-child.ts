// Run by no-addon.test.ts in a copy of the package that has no addon: an application's test of its pipeline.
import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { pathToFileURL } from 'node:url'
import type * as Native from '../../src/addon/native.js'
import type * as Capture from '../../src/capture/index.js'
import type * as Errors from '../../src/errors.js'
import type * as Headers from '../../src/headers/index.js'
import type * as Operators from '../../src/operators/index.js'
import type * as Streams from '../../src/streams/index.js'
import type * as Testing from '../../src/testing/index.js'

const load = (file: string): Promise<unknown> => import(pathToFileURL(`${process.argv[2]}/src/${file}`).href)
const { fakeFromGuest, fakePlane, frames, marbles } = (await load('testing/index.js')) as typeof Testing
const { enqueue, filterPackets } = (await load('operators/index.js')) as typeof Operators
const { toAsyncIterable } = (await load('streams/index.js')) as typeof Streams
const { HeaderReader } = (await load('headers/index.js')) as typeof Headers
const { capture } = (await load('capture/index.js')) as typeof Capture
const { native } = (await load('addon/native.js')) as typeof Native
const { VhostError } = (await load('errors.js')) as typeof Errors

const reader = new HeaderReader()
marbles(h => {
  const from = h.fakeQueue('3')
  const to = h.fakeSink('9')
  h.expectBursts(
    from.queue.pipe(
      filterPackets(p => p.uint32(14) !== 1 && reader.of(p).etherType === 0x0800),
      capture(new PassThrough().resume()),
      enqueue(to.sink),
    ),
  ).toBe('')
  h.expectReceived(to).toBe('a', { a: [0, 2] })
  h.expectLeases().toBe('0')
})
const plane = fakePlane()
const { queue, port } = fakeFromGuest(plane)
port.send(...frames(2))
const step = toAsyncIterable(queue)[Symbol.asyncIterator]().next()
plane.loop.drain()
assert.equal((await step).value?.length, 2)
// The copy really has none.
assert.throws(
  native,
  (error: unknown) => error instanceof VhostError && error.code === 'ERR_VHOST_ADDON_MISSING',
)
const report = process.report.getReport() as unknown as { sharedObjects: string[] }
assert.deepEqual(
  report.sharedObjects.filter(name => name.includes('rx_vhost')),
  [],
)
console.log('passed without the addon')
