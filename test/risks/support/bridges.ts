// The ways of a guest's bursts through iterators and streams to another guest, some of them with a consumer that is slow.
import { PassThrough, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { WritableStream } from 'node:stream/web'
import type { HeldBurst, VhostDriver, VhostSink } from '../../../src/index.js'
import {
  toAsyncIterable,
  toReadable,
  toReadableStream,
  toWritable,
  toWritableStream,
} from '../../../src/streams/index.js'
import { turn } from './scene.js'

/** Goes on until it is aborted. */
export type Bridge = (from: VhostDriver, to: VhostSink, signal: AbortSignal) => Promise<void>

/** Offers what the ring has no room for again, and releases the burst. */
async function put(burst: HeldBurst, sink: VhostSink): Promise<void> {
  try {
    await turn()
    for (let at = 0; at < burst.length; at += sink.enqueueBurst(burst, at)) await turn()
  } finally {
    burst.release()
  }
}

const slowly = (sink: VhostSink): Writable =>
  new Writable({
    objectMode: true,
    write(burst: HeldBurst, _, done) {
      put(burst, sink).then(() => done(), done)
    },
  })

export const ways: Record<string, Bridge> = {
  'for await with a slow body': async (from, sink, signal) => {
    for await (const burst of toAsyncIterable(from.fromGuest(), { signal })) await put(burst, sink)
  },
  'pipeline() into a slow Writable': (from, sink, signal) =>
    pipeline(toReadable(from.fromGuest()), new PassThrough({ objectMode: true }), slowly(sink), { signal }),
  'pipeline() into a guest': (from, sink, signal) =>
    pipeline(toReadable(from.fromGuest()), toWritable(sink), { signal }),
  'pipeTo() into a slow WritableStream': (from, sink, signal) =>
    toReadableStream(from.fromGuest()).pipeTo(
      new WritableStream({ write: burst => put(burst, sink) }, { highWaterMark: 4 }),
      { signal },
    ),
  'pipeTo() into a guest': (from, sink, signal) =>
    toReadableStream(from.fromGuest()).pipeTo(toWritableStream(sink), { signal }),
}
