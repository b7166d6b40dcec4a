// The ports on one device's rings: which there are, and that each hears what becomes of its ring. It knows no messages.
import { RingPort } from './ring-port.js'

export class RingPorts {
  /** Replaced, never altered. */
  #ports: readonly RingPort[] = []

  /** A port on a ring, for one queue; `onFault` is told the fault's word. */
  open(device: number, ring: number, running: boolean, onFault: (reason: string) => void): RingPort {
    const port = new RingPort({ device, ring, running, onFault })
    this.#ports = this.#ports.concat(port)
    return port
  }

  /** The ring has started or stopped. */
  state(ring: number, runs: boolean): void {
    for (const port of this.#ports) port.ringState(ring, runs)
  }

  /** The ring has lost its kick fd. */
  kickLost(ring: number): void {
    for (const port of this.#ports) port.kickLost(ring)
  }
}
