// The life of a guest's device seen from its front end: connect, start and stop the rings, log dirty pages, and
// recover from a lost back end. guest.ts, which owns the memory, calls it; it sends the messages of session.ts.
import { onAbort } from '../abort.js'
import { errnoName, native } from '../addon/native.js'
import { VhostError } from '../errors.js'
import { Connection } from './connection.js'
import { startDirtyLog } from './dirty-log.js'
import { FrontEndListener } from './listener.js'
import { FEATURE, type ResolvedOptions, wantedFeatures } from './options.js'
import type { GuestPair, WaitOptions } from './pair.js'
import {
  type Agreement,
  acceptFeatures,
  barrier,
  enableRings,
  negotiate,
  resetStatus,
  type SharedMemory,
  startRings,
  stopLog,
  stopRings,
} from './session.js'
import { usedIndices } from './shared.js'

export type State = 'idle' | 'running' | 'stopped' | 'closed'

/** Options of `GuestPort.connect()`. */
export interface ConnectOptions extends WaitOptions {
  /** Continue with the rings as they are. Default false: the rings are set up anew. */
  resume?: boolean
}

const fixes: Record<string, string> = {
  connect: 'await the connect() that is under way, or disconnect() and await `closed` first',
  start: 'it is for a guest that was stopped: stop() goes before it',
}
const FIRST_CONNECT = 'await connect(), and start() after a stop()'

export class GuestLife {
  readonly #path: string
  readonly #options: ResolvedOptions
  readonly #pairs: readonly GuestPair[]
  readonly #shared: SharedMemory
  readonly #listener?: FrontEndListener
  #state: State = 'idle'
  #connection?: Connection
  #agreed?: Agreement
  #bases: number[]

  /** `pairs`: the pairs with rings in `shared`; the first one owns the memory. A server starts to listen here. */
  constructor(path: string, options: ResolvedOptions, pairs: readonly GuestPair[], shared: SharedMemory) {
    this.#path = path
    this.#options = options
    this.#pairs = pairs
    this.#shared = shared
    this.#bases = shared.rings.map(() => 0)
    if (options.role === 'server') this.#listener = new FrontEndListener(path)
  }

  get state(): State {
    return this.#state
  }

  get agreed(): Agreement | undefined {
    return this.#agreed
  }

  get bases(): readonly number[] {
    return this.#bases
  }

  get closed(): Promise<string> {
    return this.#connection?.closed ?? Promise.resolve('not connected')
  }

  async connect({ resume = false, signal }: ConnectOptions): Promise<void> {
    if (this.#state !== 'idle' || this.#connection) throw this.#wrongState('connect')
    const { timeout } = this.#options
    signal?.throwIfAborted()
    const connection = await (this.#listener?.accept(timeout, signal) ?? Connection.to(this.#path, timeout))
    this.#connection = connection
    connection.closed.then(() => {
      if (this.#connection !== connection) return
      this.#connection = undefined
      if (this.#state !== 'closed') this.#state = 'idle'
    })
    const forget = onAbort(signal, () => connection.close('aborted'))
    try {
      this.#agreed = await negotiate(connection, wantedFeatures(this.#options), this.#options.pairs)
      if (this.#options.layout === 'indirect' && !(this.#agreed.features & FEATURE.INDIRECT_DESC))
        throw new VhostError(
          'ERR_VHOST_PROTOCOL',
          `layout 'indirect': the back end offers no indirect descriptors`,
        )
      if (resume) await this.#resume(connection, this.#agreed)
      else await this.#startFresh(connection, this.#agreed)
    } catch (error) {
      connection.close()
      throw signal?.aborted ? signal.reason : error
    } finally {
      forget()
    }
  }

  disconnect(): void {
    this.#connection?.close()
  }

  async stop(): Promise<void> {
    const [connection, agreed] = this.#need('running', 'stop')
    this.#bases = await stopRings(connection, agreed, this.#shared)
    this.#state = 'stopped'
  }

  async start(): Promise<void> {
    const [connection, agreed] = this.#need('stopped', 'start')
    await startRings(connection, agreed, this.#shared, this.#bases)
    this.#started(true)
  }

  async restart(fresh: boolean): Promise<void> {
    await this.stop()
    if (!fresh) return this.start()
    const [connection, agreed] = this.#need('stopped', 'restart')
    await resetStatus(connection, agreed)
    await this.#startFresh(connection, agreed)
  }

  async useChannels(pairs: number): Promise<void> {
    const [connection] = this.#need('running', 'useChannels')
    const rings = [...this.#shared.rings.keys()]
    enableRings(connection, rings.slice(2 * pairs), false)
    enableRings(connection, rings.slice(0, 2 * pairs), true)
    await barrier(connection)
  }

  async startLog(): Promise<void> {
    const [connection, agreed] = this.#need('running', 'startLog')
    await startDirtyLog(this.#pairs[0].handle, connection, agreed, this.#shared)
  }

  async stopLog(): Promise<void> {
    const [connection, agreed] = this.#need('running', 'stopLog')
    await stopLog(connection, agreed, this.#shared)
  }

  /** Closes the guest for ever. Returns false if it was closed before. The caller frees the memory of the rings. */
  close(): boolean {
    if (this.#state === 'closed') return false
    this.#state = 'closed'
    this.#connection?.close()
    this.#listener?.close()
    return true
  }

  async #startFresh(connection: Connection, agreed: Agreement): Promise<void> {
    for (const { handle } of this.#pairs) {
      const error = native().guestStart(handle, agreed.features)
      if (error < 0) throw new VhostError('ERR_VHOST_RING', `the rings can't be set up (${errnoName(error)})`)
    }
    this.#bases = this.#shared.rings.map(() => 0)
    await acceptFeatures(connection, agreed, this.#shared)
    await startRings(connection, agreed, this.#shared, this.#bases)
    this.#started(false)
  }

  /** Like QEMU after a lost back end: resumes from the used index, since the back end can no longer be asked. */
  async #resume(connection: Connection, agreed: Agreement): Promise<void> {
    this.#bases = usedIndices(this.#pairs[0].handle, this.#shared)
    await acceptFeatures(connection, agreed, this.#shared)
    await startRings(connection, agreed, this.#shared, this.#bases)
    this.#started(true)
  }

  #started(again: boolean): void {
    this.#state = 'running'
    for (const pair of this.#pairs) pair.started(again)
  }

  #need(state: State, what: string): [Connection, Agreement] {
    if (this.#state !== state || !this.#connection || !this.#agreed) throw this.#wrongState(what)
    return [this.#connection, this.#agreed]
  }

  #wrongState(what: string): VhostError {
    return new VhostError('ERR_VHOST_DEVICE_GONE', `${what}: the guest is ${this.#state}`, {
      path: this.#path,
      fix: this.#state === 'closed' ? 'make another GuestPort' : (fixes[what] ?? FIRST_CONNECT),
    })
  }
}
