// GuestPort: a virtio-net driver and its vhost-user front end in this process, on a memfd. Like a VM, it shares only a
// Unix socket and its memory with the back end, so it works with any back end. This public class creates and frees the
// memory and the queue pairs (pair.ts); native/guest works on their rings; life.ts runs the connection.
import { native } from '../addon/native.js'
import { takeDirtyPages } from './dirty-log.js'
import { type ConnectOptions, GuestLife, type State } from './life.js'
import { type GuestOptions, type ResolvedOptions, resolveOptions } from './options.js'
import { GuestPair } from './pair.js'
import type { Agreement, SharedMemory } from './session.js'
import { createGuest, shareMemory } from './shared.js'

/** A guest's network port. Its own methods use the first queue pair; `pair()` returns the others. */
export class GuestPort extends GuestPair {
  /** Path of the socket. */
  readonly path: string
  /** All options, with their defaults. */
  readonly options: Readonly<ResolvedOptions>
  readonly #pairs: GuestPair[] = [this]
  readonly #shared: SharedMemory
  readonly #life: GuestLife

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
    for (const [n, pair] of this.#pairs.entries())
      pair.watchCalls(this.#shared.rings.slice(2 * n, 2 * n + 2).map(({ call }) => call))
    this.#life = new GuestLife(path, resolved, this.#pairs, this.#shared)
  }

  /** `running`: frames flow. `idle`: not connected. */
  get state(): State {
    return this.#life.state
  }

  /** The negotiated features; undefined before `connect()`. */
  get agreed(): Readonly<Agreement> | undefined {
    return this.#life.agreed
  }

  /** Available indices at which the back end stopped the rings. */
  get bases(): readonly number[] {
    return this.#life.bases
  }

  /** Returns queue pair `n`; 0 is the port itself. Throws a `RangeError` if the option `pairs` is too small. */
  pair(n: number): GuestPair {
    const pair = this.#pairs[n]
    if (pair === undefined) throw new RangeError(`the guest has no pair ${n}`)
    return pair
  }

  /**
   * Connects, or waits for a back end, negotiates, and starts all rings. Frames flow when the promise resolves. It can be
   * called again after the back end hung up. `resume`: the rings continue as they are, as in a guest that did not
   * notice the loss; otherwise they are set up again. If `signal` is aborted, the promise rejects with its reason, and
   * the port can connect again.
   */
  connect(options: ConnectOptions = {}): Promise<void> {
    return this.#life.connect(options)
  }

  /** Resolves with the reason when the connection is over. */
  get closed(): Promise<string> {
    return this.#life.closed
  }

  /** Ends the connection from this side. `connect()` makes another. */
  disconnect(): void {
    this.#life.disconnect()
  }

  /** Stops all rings: SET_VRING_ENABLE 0, then GET_VRING_BASE. Nothing moves until `start()`. */
  stop(): Promise<void> {
    return this.#life.stop()
  }

  /** Starts the rings again where `stop()` stopped them. */
  start(): Promise<void> {
    return this.#life.start()
  }

  /** Enables only the first `pairs` pairs (SET_VRING_ENABLE), as when a driver changes its number of channels. */
  useChannels(pairs: number): Promise<void> {
    return this.#life.useChannels(pairs)
  }

  /**
   * Stops and starts the rings. `fresh`: with empty rings, like a driver that was reloaded; frames in them are lost.
   */
  restart({ fresh = false } = {}): Promise<void> {
    return this.#life.restart(fresh)
  }

  /**
   * Starts dirty logging, as a live migration does. From then on the back end marks each page of the guest's memory
   * that it writes, for `dirtyPages()`. Rejects with `ERR_VHOST_PROTOCOL` if the back end does not support it.
   */
  startLog(): Promise<void> {
    return this.#life.startLog()
  }

  /** Stops dirty logging, as when a migration is cancelled. */
  stopLog(): Promise<void> {
    return this.#life.stopLog()
  }

  /**
   * Returns the numbers of the 4 KiB pages of the guest's memory that were marked since the last call. It works in any
   * state, and returns no pages after `close()`.
   */
  dirtyPages(): number[] {
    return takeDirtyPages(this.handle)
  }

  /** Disconnects and frees everything. `frames` completes, and a running `generate()` resolves. */
  close(): void {
    if (!this.#life.close()) return
    for (const pair of this.#pairs) pair.end()
    for (const token of [this.#shared.token, ...this.#shared.rings.flatMap(ring => [ring.kick, ring.call])])
      native().closeFd(token)
    for (const { handle } of this.#pairs) native().guestClose(handle)
  }

  /** Calls `close()`, for `using`. */
  [Symbol.dispose](): void {
    this.close()
  }
}
