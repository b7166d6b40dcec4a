// Which port an Ethernet address was last seen on. Bounded, since a guest can make up addresses as fast as it sends.

/** Addresses kept; beyond, new ones are flooded like unknown ones. */
const MAX_ADDRESSES = 4096
/** An address not seen for so long may have moved (IEEE 802.1D's default). */
const AGE_MS = 300_000

interface Entry<P> {
  port: P
  seen: number
}

export class MacTable<P> {
  readonly #entries = new Map<number, Entry<P>>()

  /** `address`: the 48 bits as a number. Group addresses are nobody's. */
  learn(address: number, port: P, now: number): void {
    const entry = this.#entries.get(address)
    if (entry) {
      entry.port = port
      entry.seen = now
    } else if (this.#room(now) && Math.floor(address / 2 ** 40) % 2 === 0) {
      this.#entries.set(address, { port, seen: now })
    }
  }

  find(address: number, now: number): P | undefined {
    const entry = this.#entries.get(address)
    return entry && now - entry.seen < AGE_MS ? entry.port : undefined
  }

  // A full table forgets its oldest entry, if that has aged.
  #room(now: number): boolean {
    if (this.#entries.size < MAX_ADDRESSES) return true
    const [oldest, entry] = this.#entries.entries().next().value as [number, Entry<P>]
    return now - entry.seen >= AGE_MS && this.#entries.delete(oldest)
  }
}
