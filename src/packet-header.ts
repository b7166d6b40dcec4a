// The virtio-net header that came with a packet, read out of its slot's metadata. It knows no packet: a function gives
// it the words, and throws when the packet has ended.

/** Fields of `struct virtio_net_hdr_v1` (virtio 1.2 §5.1.6), read-only. */
export class PacketHeader {
  readonly #word: (word: number) => number

  /** @internal */
  constructor(word: (word: number) => number) {
    this.#word = word
  }

  get flags(): number {
    return this.#word(0) & 0xff
  }
  get gsoType(): number {
    return (this.#word(0) >>> 8) & 0xff
  }
  get headerLength(): number {
    return this.#word(0) >>> 16
  }
  get gsoSize(): number {
    return this.#word(1) & 0xffff
  }
  get checksumStart(): number {
    return this.#word(1) >>> 16
  }
  get checksumOffset(): number {
    return this.#word(2) & 0xffff
  }
}
