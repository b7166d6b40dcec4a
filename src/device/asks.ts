// Carries out what the session of one device asks for. Native code answers most asks at once (effects.ts), changes of memory
// later (memory-changes.ts), and the transport opens the back channel. session.ts feeds the answers back.

import { reasonNumber } from '../addon/reasons.js'
import { isMemoryAsk } from '../control/asks.js'
import { encodeMessage, VERSION } from '../control/codec.js'
import type { Ask, Input } from '../control/types.js'
import { BackChannel } from '../transport/back-channel.js'
import type { Connection } from '../transport/connection.js'
import { type AskResult, perform } from './effects.js'
import { MemoryWait } from './memory-changes.js'

export class DeviceAsks {
  readonly #device: number
  readonly #feed: (input: Input) => void
  readonly #memory: MemoryWait
  /** Made when the front end sets it up; few front ends do. */
  #channel: BackChannel | undefined

  /** `feed` gets the answers that come later, the loss of the channel, and a hang-up when an answer takes too long. */
  constructor(device: number, connection: Connection, feed: (input: Input) => void) {
    this.#device = device
    this.#feed = feed
    this.#memory = new MemoryWait(device, connection, feed, () =>
      feed({ kind: 'hang-up', reason: 'mem_timeout' }),
    )
  }

  /** Returns the result, or undefined if it comes later: until then the session stays pending. */
  perform(ask: Ask): AskResult | undefined {
    if (isMemoryAsk(ask)) return this.#memory.begin(ask)
    if (ask.kind !== 'channel') return perform(this.#device, ask)
    this.#channel ??= new BackChannel(reason => this.#feed({ kind: 'channel-lost', reason }))
    if (this.#channel.open(ask.fd)) return { kind: 'result', value: 0 }
    return { kind: 'result', value: -reasonNumber('fd_type'), reason: 'fd_type' }
  }

  /** Sends a request without a payload, if there is a back channel. */
  tellFrontEnd(request: number): void {
    this.#channel?.send(encodeMessage(request, VERSION, new Uint8Array()))
  }

  /** Ends the wait and the channel: no answer comes any more. */
  close(): void {
    this.#memory.end()
    this.#channel?.close()
  }
}
