// GuestPort: a virtio-net driver and its vhost-user front end in this process, on a memfd. It shares with a back end
// what any VM does, a Unix socket and the memory, so it drives any back end. Joins the messages (session.ts) with the
// rings of its pairs (pair.ts); native/guest does the work on the rings.
// Over budget: it is the public face, each method a line or two and its documentation.
import { onAbort } from '../abort.js'
import { VhostError } from '../errors.js'
import { errnoName, native } from '../native.js'
import { Connection } from './connection.js'
import { FrontEndListener } from './listener.js'
import {
  FEATURE,
  type GuestOptions,
  type ResolvedOptions,
  resolveOptions,
  wantedFeatures,
} from './options.js'
import { GuestPair, type WaitOptions } from './pair.js'
import {
  type Agreement,
  acceptFeatures,
  barrier,
  enableRings,
  negotiate,
  resetStatus,
  type SharedMemory,
  startLog,
  startRings,
  stopLog,
  stopRings,
} from './session.js'
import { createGuest, shareMemory, usedIndices } from './shared.js'
import { F_LOG_ALL, PROTOCOL_LOG_SHMFD } from './wire.js'

type State = 'idle' | 'running' | 'stopped' | 'closed'

/** How `GuestPort.connect()` goes about it. */
export interface ConnectOptions extends WaitOptions {
  /** Go on with the rings as they are. Default false: they are made anew. */
  resume?: boolean
}

/** A guest's network port. Its frames are those of its first queue pair; `pair()` has the others. */
export class GuestPort extends GuestPair {
  /** Of the socket. */
  readonly path: string
  /** All options, with their defaults. */
  readonly options: Readonly<ResolvedOptions>
  readonly #pairs: GuestPair[] = [this]
  readonly #shared: SharedMemory
  #state: State = 'idle'
  #listener?: FrontEndListener
  #connection?: Connection
  #agreed?: Agreement
  #bases: number[]

  constructor(path: string, options: GuestOptions = {}) {
    const resolved = resolveOptions(options)
    super(createGuest(resolved), resolved)
    this.path = path
    this.options = resolved
    for (let pair = 1; pair < resolved.pairs; pair++)
      this.#pairs.push(new GuestPair(native().guestCreateBeside(this.handle, pair), resolved))
    this.#shared = shareMemory(
      this.#pairs.map(({ handle }) => handle),
      resolved,
    )
    this.#bases = this.#shared.rings.map(() => 0)
    for (const [n, pair] of this.#pairs.entries())
      pair.watchCalls(this.#shared.rings.slice(2 * n, 2 * n + 2).map(({ call }) => call))
    if (resolved.role === 'server') this.#listener = new FrontEndListener(path)
  }

  /** `running`: frames flow. `idle`: not connected. */
  get state(): State {
    return this.#state
  }

  /** What was negotiated; undefined before `connect()`. */
  get agreed(): Readonly<Agreement> | undefined {
    return this.#agreed
  }

  /** Available indices at which the back end stopped the rings. */
  get bases(): readonly number[] {
    return this.#bases
  }

  /** Queue pair `n`, of the option `pairs`; 0 is the port itself. Throws a `RangeError` where there is none. */
  pair(n: number): GuestPair {
    const pair = this.#pairs[n]
    if (pair === undefined) throw new RangeError(`the guest has no pair ${n}`)
    return pair
  }

  /**
   * Connects, or waits for a back end, negotiates and starts all rings; frames flow once it resolves. Again after the back
   * end hung up. `resume`: the rings go on as they are, as a guest does that never noticed; otherwise they are made anew.
   * An aborted `signal` gives up, and rejects with its reason; the port can connect again.
   */
  async connect({ resume = false, signal }: ConnectOptions = {}): Promise<void> {
    if (this.#state !== 'idle' || this.#connection) throw this.#wrongState('connect')
    const { timeout } = this.options
    signal?.throwIfAborted()
    const connection = await (this.#listener?.accept(timeout, signal) ?? Connection.to(this.path, timeout))
    this.#connection = connection
    connection.closed.then(() => {
      if (this.#connection !== connection) return
      this.#connection = undefined
      if (this.#state !== 'closed') this.#state = 'idle'
    })
    const forget = onAbort(signal, () => connection.close('aborted'))
    try {
      this.#agreed = await negotiate(connection, wantedFeatures(this.options), this.options.pairs)
      if (this.options.layout === 'indirect' && !(this.#agreed.features & FEATURE.INDIRECT_DESC))
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

  /** Resolves with the reason when the connection is over. */
  get closed(): Promise<string> {
    return this.#connection?.closed ?? Promise.resolve('not connected')
  }

  /** Ends the connection from this side; `connect()` makes another. */
  disconnect(): void {
    this.#connection?.close()
  }

  /** Stops all rings: SET_VRING_ENABLE 0, then GET_VRING_BASE. Nothing moves until `start()`. */
  async stop(): Promise<void> {
    const [connection, agreed] = this.#need('running', 'stop')
    this.#bases = await stopRings(connection, agreed, this.#shared)
    this.#state = 'stopped'
  }

  /** Goes on where `stop()` stopped. */
  async start(): Promise<void> {
    const [connection, agreed] = this.#need('stopped', 'start')
    await startRings(connection, agreed, this.#shared, this.#bases)
    this.#started(true)
  }

  /** Uses the first `pairs` only, or more again: SET_VRING_ENABLE, as when a driver changes its number of channels. */
  async useChannels(pairs: number): Promise<void> {
    const [connection] = this.#need('running', 'useChannels')
    const rings = [...this.#shared.rings.keys()]
    enableRings(connection, rings.slice(2 * pairs), false)
    enableRings(connection, rings.slice(0, 2 * pairs), true)
    await barrier(connection)
  }

  /** Stops and starts. `fresh`: as a driver that was reloaded, with empty rings; what lay in them is lost. */
  async restart({ fresh = false } = {}): Promise<void> {
    await this.stop()
    if (!fresh) return this.start()
    const [connection, agreed] = this.#need('stopped', 'restart')
    await resetStatus(connection, agreed)
    await this.#startFresh(connection, agreed)
  }

  /**
   * Begins what a live migration begins: from then on the back end marks each page of the guest's memory that it writes,
   * for `dirtyPages()`. Rejects with `ERR_VHOST_PROTOCOL` when the back end can't.
   */
  async startLog(): Promise<void> {
    const [connection, agreed] = this.#need('running', 'startLog')
    if (!(agreed.protocolFeatures & PROTOCOL_LOG_SHMFD) || !(agreed.offered & F_LOG_ALL))
      throw new VhostError('ERR_VHOST_PROTOCOL', 'startLog: the back end offers no dirty log')
    const size = new Float64Array(1)
    const token = native().guestLogOpen(this.handle, size)
    if (token < 0) throw new VhostError('ERR_VHOST_PROTOCOL', `no dirty log (${errnoName(token)})`)
    try {
      await startLog(connection, agreed, this.#shared, { token, size: BigInt(size[0]) })
    } finally {
      native().closeFd(token)
    }
  }

  /** Ends it, as a migration that is called off. */
  async stopLog(): Promise<void> {
    const [connection, agreed] = this.#need('running', 'stopLog')
    await stopLog(connection, agreed, this.#shared)
  }

  /** Pages of 4 KiB that were marked since the last call, by their number in the guest's memory; any state. */
  dirtyPages(): number[] {
    const some = new Uint32Array(1024)
    const all: number[] = []
    for (let count = -1; count !== 0; ) {
      count = native().guestLogTake(this.handle, some)
      all.push(...some.subarray(0, count))
    }
    return all
  }

  /** Disconnects and frees everything. `frames` completes, a running `generate()` resolves. */
  close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#connection?.close()
    this.#listener?.close()
    for (const pair of this.#pairs) pair.end()
    for (const token of [this.#shared.token, ...this.#shared.rings.flatMap(ring => [ring.kick, ring.call])])
      native().closeFd(token)
    for (const { handle } of this.#pairs) native().guestClose(handle)
  }

  /** `close()`: `using`. */
  [Symbol.dispose](): void {
    this.close()
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

  /** As QEMU after its back end was lost: from what it has marked as used, since it could not be asked. */
  async #resume(connection: Connection, agreed: Agreement): Promise<void> {
    this.#bases = usedIndices(this.handle, this.#shared)
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
      path: this.path,
    })
  }
}
