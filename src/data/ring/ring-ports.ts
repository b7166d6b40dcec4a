// Passes the events of one device's rings from the session (device/session.ts) to the queues. It has the list of the
// device's open ports, one for each queue on a ring. Each event goes first to all ports of the ring, then to the device's
// listener. No other code reports ring events.
import { Share } from '../turn/task.js'
import { RingPort } from './ring-port.js'

/** Gets ring events for the device's queues, which need to know which rings run. */
export interface RingListener {
  /** A ring has started or stopped. All ports on the ring have got the event before. */
  ringState(ring: number, running: boolean): void
}

export class RingPorts {
  readonly #listener: RingListener
  readonly #share: Share
  /** Each change makes a new array: a queue may open or close ports during a loop over the old one. */
  #ports: readonly RingPort[] = []
  readonly #remove = (port: RingPort): void => {
    this.#ports = this.#ports.filter(other => other !== port)
  }

  /** `weight`: the weight of the device's share of time. */
  constructor(listener: RingListener, weight?: number) {
    this.#listener = listener
    this.#share = new Share(weight)
  }

  /** Ports that no queue has closed yet. */
  get count(): number {
    return this.#ports.length
  }

  /** Makes a port on a ring, for one queue. It gets ring events until the queue closes it. */
  open(device: number, ring: number, running: boolean, onFault: (reason: string) => void): RingPort {
    const port = new RingPort({
      device,
      ring,
      running,
      share: this.#share,
      onFault,
      onClose: this.#remove,
    })
    this.#ports = this.#ports.concat(port)
    return port
  }

  /** The ring has started or stopped. */
  ringState(ring: number, running: boolean): void {
    for (const port of this.#ports) port.ringState(ring, running)
    this.#listener.ringState(ring, running)
  }

  /** The ring has lost its kick fd. */
  kickLost(ring: number): void {
    for (const port of this.#ports) port.kickLost(ring)
  }
}
