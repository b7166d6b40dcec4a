// Diagrams as input: they say what a guest sends and when. Diagrams of expected results are in recording.ts.
import { TestScheduler } from 'rxjs/testing'
import type { FakePort } from './fake-port.js'
import { frames } from './frames.js'
import type { MarbleValues } from './recording.js'
import type { VirtualTime } from './virtual-time.js'

/** Calls `what` in each frame that has a character in the diagram. */
export function play(
  time: VirtualTime,
  marbles: string,
  values: Record<string, unknown>,
  what: { next: (value: unknown) => void; complete?: () => void },
): void {
  for (const { frame, notification } of TestScheduler.parseMarbles(marbles, values, undefined, false, true)) {
    if (notification.kind === 'E')
      throw new TypeError(`'#' in ${marbles}: a guest's traffic can end but has no errors; use '|'`)
    time.schedule(
      () => (notification.kind === 'N' ? what.next(notification.value) : what.complete?.()),
      frame,
    )
  }
}

/** Returns the frames that a guest sends: numbered frames for a digit, and `values` for other characters. */
export class Traffic {
  #next = 0

  constructor(readonly values: MarbleValues = {}) {}

  play(time: VirtualTime, marbles: string, port: FakePort, complete: () => void): void {
    const table = new Proxy({}, { get: (_, key) => this.#counts(String(key)) })
    // The guest leaves when its ring is empty.
    const leave = (): void => {
      if (port.waiting === 0) complete()
      else port.onDrained = () => time.defer(complete)
    }
    play(time, marbles, table, { next: what => this.#send(port, what), complete: leave })
  }

  #counts(key: string): unknown {
    if (Object.hasOwn(this.values, key)) return this.values[key]
    if (/\d/.test(key)) return Number(key)
    throw new TypeError(`the marble '${key}' has no frames: give { frames: { ${key}: [ … ] } }`)
  }

  #send(port: FakePort, what: unknown): void {
    const list = typeof what === 'number' ? this.#numbered(what) : [what].flat()
    const sent = port.send(
      ...list.map(item => (typeof item === 'number' ? frames(1, item)[0] : (item as Uint8Array))),
    )
    if (sent < list.length)
      throw new RangeError(
        `the guest sends ${list.length} frames, and its ring of ${port.size} has room for ${sent}: give { size }`,
      )
  }

  #numbered(count: number): Buffer[] {
    const made = frames(count, this.#next)
    this.#next += count
    return made
  }
}
