// The queues of one device's ring pair: attached to its rings while it lives, let go when it ends. A queue may be the
// device's own, which ends with it, or a driver's, which goes on to the next device.
import { Subject } from 'rxjs'
import type { SinkQueue } from './data/sink.js'
import type { SourceQueue } from './data/source.js'
import type { DeviceSession } from './device-session.js'
import { VhostQueue, VhostSink } from './queue.js'

export interface QueueMakers {
  source(): SourceQueue
  sink(): SinkQueue
}

/** Rings of a pair: 2k leads to the guest, 2k + 1 from it. */
const TO_GUEST = 0
const FROM_GUEST = 1

export class QueuePair {
  readonly #session: DeviceSession
  readonly #make: QueueMakers
  readonly #ended = new Subject<void>()
  readonly #sinks = new Set<SinkQueue>()
  #source: SourceQueue | undefined
  #ownSource = false
  #ownSink: SinkQueue | undefined
  #fromGuest: VhostQueue | undefined
  #toGuest: VhostSink | undefined

  constructor(session: DeviceSession, make: QueueMakers) {
    this.#session = session
    this.#make = make
  }

  /** A driver's queue takes this ring. One drain loop a ring, so the device's face shares it. */
  attachSource(queue: SourceQueue): void {
    this.#source = queue
    queue.attach(this.#session.port(FROM_GUEST))
  }

  attachSink(queue: SinkQueue): void {
    this.#sinks.add(queue)
    queue.attach(this.#session.port(TO_GUEST))
  }

  get fromGuest(): VhostQueue {
    if (this.#source === undefined) {
      this.#ownSource = true
      this.attachSource(this.#make.source())
    }
    this.#fromGuest ??= new VhostQueue(this.#source as SourceQueue, { ended: this.#ended })
    return this.#fromGuest
  }

  get toGuest(): VhostSink {
    if (this.#ownSink === undefined) {
      this.#ownSink = this.#make.sink()
      this.attachSink(this.#ownSink)
    }
    this.#toGuest ??= new VhostSink(this.#ownSink)
    return this.#toGuest
  }

  /** The device is gone. */
  end(): void {
    this.#ended.next()
    this.#ended.complete()
    if (this.#ownSource) this.#source?.close()
    else this.#source?.detach()
    for (const queue of this.#sinks) {
      if (queue === this.#ownSink) queue.close()
      else queue.detach('gone')
    }
    this.#sinks.clear()
  }
}
