// The layout of a slot's metadata, which native/core/net/pool.h shares, and the memory that slots are in. Everything in this
// room reads packets by these numbers.

/** Words of metadata per slot; the constants below are indices of words in them. */
export const SLOT_WORDS = 8
/** A slot's metadata begin at `slot << SLOT_SHIFT`. The compiler knows that a shift gives an integer; a product may not. */
export const SLOT_SHIFT = 3
export const SLOT_OFFSET = 0
export const SLOT_LENGTH = 1
export const SLOT_REFERENCES = 3
export const SLOT_ACCOUNT = 4
export const SLOT_HEADER = 5

/** Result of alloc(): no slot of that size is free, except for those that other accounts have in reserve. */
export const NO_SLOT = -1

/** The memory that slots are in: all that reading a packet needs. */
export interface SlotMemory {
  /** SLOT_WORDS words per slot. */
  readonly meta: Uint32Array
  readonly bytes: Buffer
  /** The same bytes. V8 compiles a read in network byte order to one load. */
  readonly view: DataView
}
