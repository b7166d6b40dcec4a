// GuestPort: a virtio-net driver and its vhost-user front end in this process, on a memfd. It shares with a back end
// what any VM does, a Unix socket and the memory, so it drives any back end. Joins the messages (session.ts) with the
// rings (sender.ts, receiver.ts); native/guest does the work on the rings.
// Over budget: it is the public face, each method a line or two and its documentation.
import type { Observable } from 'rxjs'
import { VhostError } from '../errors.js'
import { errnoName, native } from '../native.js'
import { type Watch, watch } from '../wakeup.js'
import { Connection } from './connection.js'
import { type GuestStatName, STATS } from './native-guest.js'
import {
  FEATURE,
  type GuestOptions,
  LAYOUTS,
  type ResolvedOptions,
  resolveOptions,
  wantedFeatures,
} from './options.js'
import { type ReceivedFrame, Receiver, type Report } from './receiver.js'
import { type GenerateOptions, Sender } from './sender.js'
import {
  type Agreement,
  acceptFeatures,
  negotiate,
  RINGS,
  resetStatus,
  type SharedMemory,
  startLog,
  startRings,
  stopLog,
  stopRings,
} from './session.js'
import { shareMemory } from './shared.js'
import { F_LOG_ALL, PROTOCOL_LOG_SHMFD } from './wire.js'

type State = 'idle' | 'running' | 'stopped' | 'closed'

export class GuestPort {
  readonly path: string
  readonly options: Readonly<ResolvedOptions>
  /** Native handle, for tests that write into the guest's memory (`AddonGuest`). */
  readonly handle: number
  readonly #shared: SharedMemory
  readonly #watches: Watch[]
  readonly #sender: Sender
  readonly #receiver: Receiver
  #state: State = 'idle'
  #connection?: Connection
  #agreed?: Agreement
  #bases = [0, 0]

  constructor(path: string, options: GuestOptions = {}) {
    this.path = path
    this.options = resolveOptions(options)
    const { queueSize, layout, segments, receiveBuffer, transmitBuffer, autoPost, mac } = this.options
    const config = [
      queueSize,
      LAYOUTS.indexOf(layout),
      segments,
      receiveBuffer,
      transmitBuffer,
      Number(autoPost),
    ]
    const handle = native().guestCreate(Uint32Array.from(config))
    if (handle < 0) throw new RangeError(`these options make no guest (${errnoName(handle)})`)
    this.handle = handle
    this.#sender = new Sender(handle, mac, transmitBuffer)
    this.#receiver = new Receiver(handle)
    this.#shared = shareMemory(handle, this.options)
    const halves = [this.#receiver, this.#sender]
    this.#watches = RINGS.map(ring =>
      watch(this.#shared.rings[ring].call, 'edge', () => halves[ring].onCall()),
    )
  }

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

  /** Connects, negotiates and starts both rings; frames flow once it resolves. Again after the back end hung up. */
  async connect(): Promise<void> {
    if (this.#state !== 'idle' || this.#connection) throw this.#wrongState('connect')
    const connection = new Connection(this.path, this.options.timeout)
    this.#connection = connection
    connection.closed.then(() => {
      if (this.#connection !== connection) return
      this.#connection = undefined
      if (this.#state !== 'closed') this.#state = 'idle'
    })
    try {
      this.#agreed = await negotiate(connection, wantedFeatures(this.options))
      if (this.options.layout === 'indirect' && !(this.#agreed.features & FEATURE.INDIRECT_DESC))
        throw new VhostError(
          'ERR_VHOST_PROTOCOL',
          `layout 'indirect': the back end offers no indirect descriptors`,
        )
      await this.#startFresh(connection, this.#agreed)
    } catch (error) {
      connection.close()
      throw error
    }
  }

  /** Resolves with the reason when the connection is over. */
  get closed(): Promise<string> {
    return this.#connection?.closed ?? Promise.resolve('not connected')
  }

  /** Stops both rings: SET_VRING_ENABLE 0, then GET_VRING_BASE. Nothing moves until `start()`. */
  async stop(): Promise<void> {
    const [connection, agreed] = this.#need('running', 'stop')
    this.#bases = await stopRings(connection, agreed)
    this.#state = 'stopped'
  }

  /** Goes on where `stop()` stopped. */
  async start(): Promise<void> {
    const [connection, agreed] = this.#need('stopped', 'start')
    await startRings(connection, agreed, this.#shared, this.#bases)
    this.#state = 'running'
    // What was made available while stopped had no one to see its kick.
    for (const ring of RINGS) native().guestKickNow(this.handle, ring)
    this.#receiver.onCall()
    this.#sender.onCall()
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
   * for `dirtyPages()`. Rejects when the back end can't.
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

  /** Puts a frame into the ring; false if it has no room. `header`: a virtio_net_hdr of 10 bytes. */
  send(frame: Uint8Array, header?: Uint8Array): boolean {
    return this.#sender.send(frame, header)
  }

  /** Puts as many frames into the ring as it has room for; their number. */
  sendBurst(frames: readonly Uint8Array[], headers?: readonly Uint8Array[]): number {
    return this.#sender.sendBurst(frames, headers)
  }

  /** After a `send` that was refused: resolves when there is room again. */
  room(): Promise<void> {
    return this.#sender.room()
  }

  /** Received frames, each a private copy. Frames wait in the ring while nobody is subscribed. */
  get frames(): Observable<Uint8Array> {
    return this.#receiver.frames
  }

  /** Received frames with their virtio-net headers. */
  get received(): Observable<ReceivedFrame> {
    return this.#receiver.received
  }

  /** Sends numbered frames, whose every byte `check()` can verify; resolves with how many went into the ring. */
  generate(options: GenerateOptions = {}): Promise<number> {
    return this.#sender.generate(options)
  }

  /** From now on received frames go to the checker, not to `frames`. `adopt`: numbers may begin anywhere, not at 0. */
  check({ adopt = false } = {}): void {
    this.#receiver.check(adopt)
  }

  stopChecking(): void {
    this.#receiver.stopChecking()
  }

  /** What the checker has seen since `check()`. */
  get report(): Report {
    return this.#receiver.report
  }

  /** Resolves once the checker has received that many intact frames. */
  whenReceived(frames: number): Promise<Report> {
    return this.#receiver.whenReceived(frames)
  }

  /** With `autoPost: false`: gives the back end up to `count` receive buffers; how many there were to give. */
  postReceive(count = 0xffffffff): number {
    return native().guestPostReceive(this.handle, count)
  }

  get stats(): Record<GuestStatName, number> {
    const values = new Float64Array(STATS.length)
    native().guestStats(this.handle, values)
    return Object.fromEntries(STATS.map((name, n) => [name, values[n]])) as Record<GuestStatName, number>
  }

  /** Disconnects and frees everything. `frames` completes, a running `generate()` resolves. */
  close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#connection?.close()
    this.#sender.close()
    this.#receiver.close()
    for (const open of this.#watches) open.close()
    for (const token of [this.#shared.token, ...this.#shared.rings.flatMap(ring => [ring.kick, ring.call])])
      native().closeFd(token)
    native().guestClose(this.handle)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async #startFresh(connection: Connection, agreed: Agreement): Promise<void> {
    const error = native().guestStart(this.handle, agreed.features)
    if (error < 0) throw new VhostError('ERR_VHOST_RING', `the rings can't be set up (${errnoName(error)})`)
    this.#bases = [0, 0]
    await acceptFeatures(connection, agreed, this.#shared)
    await startRings(connection, agreed, this.#shared, this.#bases)
    this.#state = 'running'
    this.#receiver.onCall()
    this.#sender.onCall()
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
