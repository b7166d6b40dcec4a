// What the session of one device asks, each by who answers it: native code at once, its threads later, or the transport. Beside
// session.ts, which feeds the answers back. It knows no session.

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
  /** Few devices have one. */
  #channel: BackChannel | undefined

  /** `feed` gets the answers that come later, and what becomes of the channel or of a wait that lasts too long. */
  constructor(device: number, connection: Connection, feed: (input: Input) => void) {
    this.#device = device
    this.#feed = feed
    this.#memory = new MemoryWait(device, connection, feed, () =>
      feed({ kind: 'hang-up', reason: 'mem_timeout' }),
    )
  }

  /** Without a result it comes later, and the session stays pending. */
  perform(ask: Ask): AskResult | undefined {
    if (isMemoryAsk(ask)) return this.#memory.begin(ask)
    if (ask.kind !== 'channel') return perform(this.#device, ask)
    this.#channel ??= new BackChannel(reason => this.#feed({ kind: 'channel-lost', reason }))
    if (this.#channel.open(ask.fd)) return { kind: 'result', value: 0 }
    return { kind: 'result', value: -reasonNumber('fd_type'), reason: 'fd_type' }
  }

  /** A request without a payload, if there is a channel. */
  tellFrontEnd(request: number): void {
    this.#channel?.send(encodeMessage(request, VERSION, new Uint8Array()))
  }

  /** No answer comes any more. */
  close(): void {
    this.#memory.end()
    this.#channel?.close()
  }
}
