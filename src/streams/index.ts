// What `rx-vhost/streams` exports: bridges between RxJS and iterators or streams, a burst at a time.
export type { BridgeOptions } from './intake.js'
export type { OutletOptions } from './outlet.js'
export { toAsyncIterable } from './to-async-iterable.js'
export { type ReadableOfBursts, toReadable } from './to-readable.js'
export { toReadableStream } from './to-readable-stream.js'
export { toWritable } from './to-writable.js'
export { toWritableStream } from './to-writable-stream.js'
