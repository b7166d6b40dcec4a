// What docs/streams.md prints, each between its marks. test/docs/streams.test.ts runs them, and compares the page with this file.
import { pipeline } from 'node:stream/promises'
import { lastValueFrom } from 'rxjs'
import type { VhostDevice } from '../../src/index.js'
import { enqueue, takeUntilAborted } from '../../src/operators/index.js'
import {
  toAsyncIterable,
  toReadable,
  toReadableStream,
  toWritable,
  toWritableStream,
} from '../../src/streams/index.js'

type Port = Pick<VhostDevice, 'fromGuest' | 'toGuest'>
type Save = (frames: Buffer[]) => Promise<void>

// biome-ignore format: as the page prints them
export const snippets: Record<string, (vm: Port, other: Port, signal: AbortSignal, save: Save) => Promise<unknown>> = {
  'a loop': async (vm, _, signal, save) => {
    // begin
    for await (const burst of toAsyncIterable(vm.fromGuest(), { signal })) {
      try {
        await save([...burst].map(packet => packet.toBuffer()))
      } finally {
        burst.release()
      }
    }
    // end
  },

  'a pipeline of Node': async (vm, other, signal) => {
    // begin
    await pipeline(
      toReadable(vm.fromGuest()),
      toWritable(other.toGuest()),
      { signal },
    )
    // end
  },

  'a pipe of the web': async (vm, other, signal) => {
    // begin
    await toReadableStream(vm.fromGuest()).pipeTo(
      toWritableStream(other.toGuest()),
      { signal },
    )
    // end
  },

  'an operator': (vm, other, signal) =>
    lastValueFrom(
    // begin
    vm.fromGuest().pipe(
      takeUntilAborted(signal),
      enqueue(other.toGuest()),
    ),
    // end
    { defaultValue: undefined }),
}
