// What native/addon/guest.cc exports: front ends in-process, by handle. A failure is a negative errno; a burst's
// result is a count in bits 0-15 with BURST_MORE and BURST_BROKEN. Ring 0 is to guest, ring 1 from guest.

export const BURST_COUNT = 0xffff
/** Receive, check: there may be more. Send, generate: the ring has no room; its call comes when it has. */
export const BURST_MORE = 1 << 16
/** The back end broke the rules of the ring, which is dead until the next guestStart. */
export const BURST_BROKEN = 1 << 17

export interface AddonGuest {
  /** `config`: queue size, layout (0 single, 1 split, 2 indirect), data descriptors of a frame in the latter two,
   *  bytes of a receive buffer (header included), longest frame to send, 1 = post receive buffers by itself, queue pairs
   *  that the memory is for. */
  guestCreate(config: Uint32Array): number
  /** Another pair in the memory of the first. */
  guestCreateBeside(first: number, pair: number): number
  guestClose(handle: number): void
  /** Tokens of duplicates, which the caller closes. `which`: 0 kick, 1 call. */
  guestMemoryToken(handle: number): number
  guestRingToken(handle: number, ring: number, which: 0 | 1): number
  /** Fills `out` with LAYOUT_FIELDS numbers: memory size (of all pairs), guest-physical address of offset 0, then for each ring the
   *  offsets of descriptors, available, used, indirect tables, headers, buffers; bytes a buffer; chains. */
  guestLayout(handle: number, out: Float64Array): number
  /** Empties both rings for these features and posts receive buffers. */
  guestStart(handle: number, features: bigint): number
  /** Frames one after the other in `bytes`; `headers`: a virtio_net_hdr of 10 bytes a frame, else zeroes. */
  guestSend(
    handle: number,
    bytes: Uint8Array,
    lengths: Uint32Array,
    count: number,
    headers?: Uint8Array,
  ): number
  /** Frames one after the other into `into`; `headers` gets 12 bytes a frame, as received. */
  guestReceive(
    handle: number,
    into: Uint8Array,
    lengths: Uint32Array,
    max: number,
    headers?: Uint8Array,
  ): number
  /** Posts receive buffers by hand: the number posted. */
  guestPostReceive(handle: number, max: number): number
  guestAutoPost(handle: number, on: boolean): number
  /** `config`: source, first sequence number, lengths (0 fixed, 1 sweep, 2 IMIX), shortest, longest frame.
   *  `macs`: destination and source address. */
  guestGenerator(handle: number, config: Float64Array, macs: Uint8Array): number
  guestGenerate(handle: number, max: number): number
  guestCheck(handle: number, max: number): number
  /** `adopt`: the first frame of each source says where its numbers begin, else they begin at 0. */
  guestCheckReset(handle: number, adopt: boolean): number
  /** Fills `out` with: corrupted, foreign; then a source's id, received, lost, reordered, duplicated, corrupted, next
   *  sequence number. Returns the number of sources. */
  guestReport(handle: number, out: Float64Array): number
  /** Fills `out` in the order of STATS. */
  guestStats(handle: number, out: Float64Array): number
  /** Kicks whether or not the back end wants it. */
  guestKickNow(handle: number, ring: number): number
  /** A token of the dirty log's file, emptied, which the caller closes; `size[0]` gets its bytes. */
  guestLogOpen(handle: number, size: Float64Array): number
  /**
   * Clears what is marked: fills `out` with pages of the guest's memory, by number. Their count, or a negative errno; again
   * until it is 0.
   */
  guestLogTake(handle: number, out: Uint32Array): number
  /** Raw access to the guest's memory, for tests that play a hostile guest. */
  guestWrite(handle: number, offset: number, bytes: Uint8Array): number
  guestRead(handle: number, offset: number, into: Uint8Array): number
  /** Sets the length of the memory file; the guest's own accesses to what is lost stay harmless. */
  guestTruncate(handle: number, length: number): number
}

/** fds for tests that play a hostile front end, as tokens that the caller closes; see native/addon/raw_fds.cc. */
export interface AddonRawFds {
  /** A memory file of that length. */
  rawMemory(bytes: number): number
  /** An eventfd with count 0, not blocking. */
  rawEventfd(): number
  /** A timerfd that was never set. */
  rawTimerfd(): number
  /** A duplicate of any fd of this process. */
  rawAdopt(fd: number): number
  /** The number behind a token, for node:fs. */
  rawNumber(token: number): number
  /** Sets whether reads and writes wait: of the file description, so for whoever else was given it too. */
  rawBlocking(token: number, on: boolean): number
}

export const LAYOUT_FIELDS = 18
export const REPORT_FIELDS = 7
export const MAX_SOURCES = 64

export const STATS = [
  'sent',
  'sentBytes',
  'received',
  'receivedBytes',
  'kicksToGuest',
  'kicksFromGuest',
  'waits',
  'badHeaders',
  'oversize',
  'posted',
  'inFlight',
  'freeReceiveBuffers',
  'toGuestBroken',
  'fromGuestBroken',
  'toGuestAvailable',
  'toGuestUsed',
  'fromGuestAvailable',
  'fromGuestUsed',
] as const
export type GuestStatName = (typeof STATS)[number]
