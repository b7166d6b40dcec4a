// What `rx-vhost/streams` exports: ways from RxJS to the rest of the world, a burst at a time. Loads no addon.
export type { BridgeOptions } from './intake.js'
export type { OutletOptions } from './outlet.js'
export { toAsyncIterable } from './to-async-iterable.js'
export { type ReadableOfBursts, toReadable } from './to-readable.js'
export { toReadableStream } from './to-readable-stream.js'
export { toWritable } from './to-writable.js'
export { toWritableStream } from './to-writable-stream.js'
