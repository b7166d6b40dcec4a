// What the addon has for embedded guests: front ends in this process, by handle (native/addon/guest.cc, raw_fds.cc). A failure
// is a negative errno. The result of a burst is a count in bits 0 to 15, and BURST_MORE and BURST_BROKEN. Ring 0 is to guest,
// ring 1 from guest.

export const BURST_COUNT = 0xffff
/** Receive and check: there may be more. Send and generate: the ring has no room, and its call comes when it has. */
export const BURST_MORE = 1 << 16
/** The back end broke the rules of the ring, which is dead until the next guestStart. */
export const BURST_BROKEN = 1 << 17

export interface AddonGuest {
  /** `config`: queue size; layout (0 single, 1 split, 2 indirect); data descriptors per frame in the latter two; bytes of a
   *  receive buffer, header included; longest frame to send; 1 = post receive buffers automatically; queue pairs that the
   *  memory is for. */
  guestCreate(config: Uint32Array): number
  /** Makes another pair in the memory of the first. */
  guestCreateBeside(first: number, pair: number): number
  guestClose(handle: number): void
  // The tokens are those of duplicates, and the caller closes them. `which`: 0 kick, 1 call.
  guestMemoryToken(handle: number): number
  guestRingToken(handle: number, ring: number, which: 0 | 1): number
  /** Fills `out` with LAYOUT_FIELDS numbers: memory size (of all pairs), guest-physical address of offset 0, then for each ring the
   *  offsets of descriptors, available, used, indirect tables, headers, buffers; bytes a buffer; chains. */
  guestLayout(handle: number, out: Float64Array): number
  /** Empties both rings for these features and posts receive buffers. */
  guestStart(handle: number, features: bigint): number
  /** Sends frames that are one after the other in `bytes`. `headers` has a virtio_net_hdr of 10 bytes per frame; default zeros. */
  guestSend(
    handle: number,
    bytes: Uint8Array,
    lengths: Uint32Array,
    count: number,
    headers?: Uint8Array,
  ): number
  /** Receives frames one after the other into `into`. `headers` gets 12 bytes per frame, as received. */
  guestReceive(
    handle: number,
    into: Uint8Array,
    lengths: Uint32Array,
    max: number,
    headers?: Uint8Array,
  ): number
  /** Posts receive buffers; returns their number. */
  guestPostReceive(handle: number, max: number): number
  guestAutoPost(handle: number, on: boolean): number
  /** `config`: source, first sequence number, lengths (0 fixed, 1 sweep, 2 IMIX), shortest, longest frame.
   *  `macs`: destination and source address. */
  guestGenerator(handle: number, config: Float64Array, macs: Uint8Array): number
  guestGenerate(handle: number, max: number): number
  guestCheck(handle: number, max: number): number
  /** With `adopt`, the numbers of each source begin with those of its first frame; otherwise with 0. */
  guestCheckReset(handle: number, adopt: boolean): number
  /** Fills `out` with: corrupted, foreign; then a source's id, received, lost, reordered, duplicated, corrupted, next
   *  sequence number. Returns the number of sources. */
  guestReport(handle: number, out: Float64Array): number
  /** Fills `out` in the order of STATS. */
  guestStats(handle: number, out: Float64Array): number
  /** Kicks even if the back end has suppressed kicks. */
  guestKickNow(handle: number, ring: number): number
  /** Clears the dirty log and returns a token of its file, which the caller closes; `size[0]` gets its bytes. */
  guestLogOpen(handle: number, size: Float64Array): number
  /**
   * Takes marked pages out of the dirty log and fills `out` with their numbers. Returns their count or a negative errno; call it
   * until it returns 0.
   */
  guestLogTake(handle: number, out: Uint32Array): number
  /** Raw access to guest memory, for tests that act as a hostile guest. */
  guestWrite(handle: number, offset: number, bytes: Uint8Array): number
  guestRead(handle: number, offset: number, into: Uint8Array): number
  /** Sets the length of the memory file. The guest's own accesses beyond it stay harmless. */
  guestTruncate(handle: number, length: number): number
}

/** fds for tests that act as a hostile front end, as tokens that the caller closes; see native/addon/raw_fds.cc. */
export interface AddonRawFds {
  /** Makes a memory file of that length. */
  rawMemory(bytes: number): number
  /** Makes a non-blocking eventfd with count 0. */
  rawEventfd(): number
  /** Makes a timerfd that is not armed. */
  rawTimerfd(): number
  /** Duplicates any fd of this process. */
  rawAdopt(fd: number): number
  /** The fd number behind a token, for node:fs. */
  rawNumber(token: number): number
  /** Sets whether reads and writes block, for the file description and so for every duplicate of the fd. */
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
