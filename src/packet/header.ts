// The virtio-net header of a packet, which is in its slot's metadata. Functions that the packet provides read and write the
// words; they throw when the packet has ended.

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

/** Fields of `struct virtio_net_hdr_v1`, to read and to write. */
export class WritableHeader extends PacketHeader {
  readonly #write: (word: number, shift: number, mask: number, value: number) => void

  /** @internal */
  constructor(
    word: (word: number) => number,
    write: (word: number, shift: number, mask: number, value: number) => void,
  ) {
    super(word)
    this.#write = write
  }

  override get flags(): number {
    return super.flags
  }
  override set flags(value: number) {
    this.#write(0, 0, 0xff, value)
  }
  override get gsoType(): number {
    return super.gsoType
  }
  override set gsoType(value: number) {
    this.#write(0, 8, 0xff, value)
  }
  override get headerLength(): number {
    return super.headerLength
  }
  override set headerLength(value: number) {
    this.#write(0, 16, 0xffff, value)
  }
  override get gsoSize(): number {
    return super.gsoSize
  }
  override set gsoSize(value: number) {
    this.#write(1, 0, 0xffff, value)
  }
  override get checksumStart(): number {
    return super.checksumStart
  }
  override set checksumStart(value: number) {
    this.#write(1, 16, 0xffff, value)
  }
  override get checksumOffset(): number {
    return super.checksumOffset
  }
  override set checksumOffset(value: number) {
    this.#write(2, 0, 0xffff, value)
  }
}
