// The public API of `rx-vhost/streams`: bridges from RxJS to async iterators and streams. Each item is a burst.
export type { BridgeOptions } from './intake.js'
export type { OutletOptions } from './outlet.js'
export { toAsyncIterable } from './to-async-iterable.js'
export { type ReadableOfBursts, toReadable } from './to-readable.js'
export { toReadableStream } from './to-readable-stream.js'
export { toWritable } from './to-writable.js'
export { toWritableStream } from './to-writable-stream.js'
