// A draft is a step of the session that is not finished: a private copy of the state, and the effects so far. A refused
// step leaves the original state unchanged. A ring is copied when it is first written to, because most messages change at
// most one ring.
import type { FaultCode, SessionEvent } from './events.js'
import { featureNames } from './feature-names.js'
import { hasProtocol, hasVirtio, virtioMask } from './features.js'
import { type Effect, newRing, type RingState, type State } from './types.js'

export const STATUS_FEATURES_OK = 8
export const STATUS_DRIVER_OK = 4
/** How long after SET_FEATURES a front end with enabled rings may take to send its memory table. */
export const MEMORY_DEADLINE_MS = 2000
/** Feature bits that can change without the guest's knowledge. */
const NOT_OF_THE_RINGS = virtioMask('LOG_ALL', 'PROTOCOL_FEATURES')

/** Faults that this back end causes, not the front end. */
const fixes: Readonly<Record<string, string>> = {
  kick_watch: 'allow more open files (ulimit -n) or watches (sysctl fs.epoll.max_user_watches)',
}

/** The reports of memory that was taken away, by the cause if it is known. */
const taken = { reason: 'memory_revoked', what: 'the front end took its memory away', fix: undefined }
const losses = new Map<string | undefined, { reason: string; what: string; fix: string | undefined }>([
  [
    'no_backing',
    {
      reason: 'memory_revoked',
      what: 'there was no page left for memory',
      fix: 'give its tmpfs or its pool of huge pages more room, or QEMU prealloc=on',
    },
  ],
  [
    'hardware',
    {
      reason: 'memory_hw_error',
      what: "a page of memory failed in this machine's hardware",
      fix: "look into the kernel's log for the page, and start the guest anew",
    },
  ],
])

export class Draft {
  readonly state: State
  readonly effects: Effect[] = []
  /** How many rings the current input has latched. */
  latches = 0
  readonly #former: State['rings']

  constructor(from: State) {
    this.state = { ...from }
    this.#former = from.rings
  }

  tell(event: SessionEvent): void {
    this.effects.push({ kind: 'event', event })
  }

  fault(
    code: FaultCode,
    reason: string,
    message: string,
    more: { ring?: number; fix?: string; detail?: string } = {},
  ): void {
    this.tell({ type: 'fault', code, reason, message, ...more })
  }

  /** Stops a ring until the front end sets it up again, and reports the fault once. */
  latch(ring: number, reason: string): void {
    if (this.state.rings[ring].latched === reason) return
    this.ring(ring).latched = reason
    this.latches++
    this.fault('ERR_VHOST_RING', reason, `ring ${ring} can't run`, { ring, fix: fixes[reason] })
  }

  /**
   * The memory was taken away: latches all running rings, and `starting`. It is one fault, reported once. `detail`: the
   * cause, if known.
   */
  revoke(detail?: string, starting?: number): void {
    const { state } = this
    for (const [i, ring] of state.rings.entries())
      if (ring.running || i === starting) this.ring(i).latched = 'memory_revoked'
    this.latches++
    if (state.revoked) return
    state.revoked = true
    const { reason, what, fix } = losses.get(detail) ?? taken
    this.fault('ERR_VHOST_MEMORY_REVOKED', reason, what, { detail, fix })
  }

  /** A front end without share=on causes several symptoms; the fault is reported once per connection. */
  notShared(ring?: number): void {
    if (this.state.notSharedTold) return
    this.state.notSharedTold = true
    this.fault('ERR_VHOST_MEMORY_NOT_SHARED', 'mem_not_shared', 'the front end shares no memory', {
      fix: 'start QEMU with -object memory-backend-memfd,id=m,size=…,share=on -numa node,memdev=m',
      ...(ring === undefined ? {} : { ring }),
    })
  }

  /** The ring, for writing; it is created if no message has named it before. */
  ring(index: number): RingState {
    const { state } = this
    if (state.rings === this.#former) state.rings = [...state.rings]
    const rings = state.rings as RingState[]
    while (rings.length <= index) rings.push(newRing())
    if (rings[index] === this.#former[index]) rings[index] = { ...rings[index] }
    return rings[index]
  }

  /** A ring continues where an earlier back end stopped. The guest set it up with the features of that time. */
  resumed(ring: number): void {
    const { state } = this
    const lost = state.expected & ~state.features & ~NOT_OF_THE_RINGS
    if (lost === 0n) return
    state.expected = 0n
    this.fault(
      'ERR_VHOST_FEATURES_LOST',
      'features_lost',
      `the front end goes on with its rings, but without ${featureNames(lost).join(', ')}`,
      { ring, fix: 'offer what was offered before, and restart a guest that has lost a feature' },
    )
  }

  /** Warns of memory whose pages the kernel reads from a disk: a page fault can block this thread for a long time. */
  onDisk(): void {
    if (this.state.onDiskTold) return
    this.state.onDiskTold = true
    this.tell({
      type: 'warning',
      code: 'WARN_VHOST_MEMORY_ON_DISK',
      message: "the guest's memory lies in a file on a disk: each page fault can wait for the disk",
      fix: 'use memory-backend-memfd, or memory-backend-file with a path on hugetlbfs or in /dev/shm',
    })
  }

  /** Reports `stopped` (librte_vhost's destroy_device) if `ready` was reported before. */
  stopped(): void {
    this.state.leaving = false
    if (!this.state.ready) return
    this.state.ready = false
    this.migration()
    this.tell({ type: 'stopped' })
  }

  /** Reports the begin and end of a migration: it runs while the device is ready, has a log, and LOG_ALL is set. */
  migration(): void {
    const { state } = this
    const active = state.ready && state.log > 0n && hasVirtio(state.features, 'LOG_ALL')
    if (active === state.migrating) return
    state.migrating = active
    this.tell({ type: 'migration', active })
  }
}

/** Without PROTOCOL_FEATURES a ring is enabled from the start; SET_VRING_ENABLE always counts. */
export const isEnabled = (state: State, ring: RingState): boolean =>
  ring.enabled ?? !hasVirtio(state.features, 'PROTOCOL_FEATURES')

export const driverIsOk = (state: State): boolean =>
  !hasProtocol(state.protocolFeatures, 'STATUS') || (state.status & STATUS_DRIVER_OK) !== 0

/** True if the front end has sent everything that a ring needs except memory. */
export const isSetUp = (state: State, ring: RingState): boolean =>
  state.negotiated &&
  ring.size > 0 &&
  ring.addresses !== null &&
  ring.kick !== 'unset' &&
  isEnabled(state, ring) &&
  driverIsOk(state)
