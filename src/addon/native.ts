// The only module that knows the addon: what it exports, where it is, and what to do when it is missing. Loaded at
// first use, so that `rx-vhost/operators` and `rx-vhost/testing` work where no addon was built.
//
// Functions are flat: numbers, typed arrays and short strings in, a number out. A failure is a negative number: an
// errno for sockets and watches, a reason (src/addon/reasons.ts) for devices, rings and queues. File descriptors are
// opaque tokens (0 = none) that native code owns; a function that consumes one does so whether it fails or not.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { getSystemErrorName } from 'node:util'
import { VhostError } from '../errors.js'
import type { AddonBpf } from './bpf.js'
import type { AddonGuest, AddonRawFds } from './guest.js'
import type { AddonMemory } from './memory.js'
import { addonFix, findAddon } from './path.js'
import type { AddonTap } from './tap.js'

export type FdToken = number

/** A count in fds[0] of socketReceive that is none: fds were lost on the way. */
export const FDS_TRUNCATED = 0xffffffff
/** Likewise, since this process has no fd left. */
export const FDS_EXHAUSTED = 0xfffffffe

/** Sockets and fds. Negative results are errnos. */
interface AddonSockets {
  closeFd(token: FdToken): void
  fdCount(): number
  /** 1 for an eventfd, 0 for anything else. */
  fdKind(token: FdToken): number
  /** `mode`, `group`: of the socket file; by default as the umask and the process have it. */
  socketListen(path: string, backlog: number, mode?: number, group?: number): number
  /** Removes the path now rather than with closeFd(listener), if it still names the file that was bound. */
  socketUnlink(path: string, listener: FdToken): void
  socketAdopt(fd: number): number
  /** 0 for a connected Unix stream socket, which becomes non-blocking; 1 for one that listens. */
  socketCheck(token: FdToken): number
  socketAccept(listener: FdToken): number
  socketConnect(path: string): number
  /** Fills in pid, uid and gid. */
  socketPeer(token: FdToken, out: Int32Array): number
  socketReceive(
    token: FdToken,
    into: Uint8Array,
    offset: number,
    length: number,
    /** [0] gets the count, FDS_TRUNCATED or FDS_EXHAUSTED; the tokens follow. */
    fds: Uint32Array,
  ): number
  socketSend(token: FdToken, bytes: Uint8Array, offset: number, length: number, fds?: Uint32Array): number
}

/** The wake-up of this env; used through src/addon/wakeup.ts. */
interface AddonWakeup {
  wakeupOpen(ready: Uint32Array, onReady: (pairs: number) => void): number
  wakeupHold(on: boolean): void
  /** `onTurn` runs in a later turn of the event loop once flags[0] is set; while flags[1] is 0, ask as well. */
  wakeupTurns(flags: Uint32Array, clock: Float64Array, onTurn: () => void): number
  wakeupAskTurn(): void
  /** Writes the time in milliseconds to clock[0]. */
  readClock(): void
  /** 0 = readable, 1 = readable (edge), 2 = readable or writable, 3 = writable, 4 = that its peer has gone. */
  watch(token: FdToken, tag: number, mode: number): number
  unwatch(token: FdToken): void
}

/** Devices, their memory and rings. Negative results are reasons. */
interface AddonDevices {
  /** One that no other driver of the process has. */
  driverNumber(): number
  /** `driver`: devices of one share the threads that map their memory. */
  deviceCreate(driver: number): number
  deviceDestroy(device: number): void
  deviceLogCall(device: number, token: FdToken): number
  deviceLogBuffers(device: number, on: boolean): number
  /** `address`: guest-physical, of the used ring. */
  ringLog(device: number, ring: number, on: boolean, address: bigint): number
  deviceMtu(device: number, mtu: number): number
  /** `which`: 0 kick, 1 call, 2 error. */
  ringFd(device: number, ring: number, which: number, token: FdToken): number
  /**
   * `config`: size, base, flags. `addresses`: descriptors, used, available, log, as user addresses. The index at which the
   * ring goes on.
   */
  ringStart(
    device: number,
    ring: number,
    config: Uint32Array,
    addresses: BigUint64Array,
    features: bigint,
  ): number
  /** The ring's base, or -1 when it was not running. */
  ringStop(device: number, ring: number): number
  /** Devices of the whole process, for leak tests. */
  deviceCount(): number
  /** The words of core/base/result.h in order. */
  reasonNames(): string[]
}

/** Queues: what moves packets. Result bits of dequeue and enqueue are in src/data. */
interface AddonQueues {
  queueOpen(device: number, ring: number, account: number): number
  queueClose(handle: number): void
  /** 0 or a reason. The ring's kicks are reported under `tag`, also after it was given another kick fd. */
  queueWatch(handle: number, tag: number): number
  queueUnwatch(handle: number): void
  /** `at`: the first word of the exchange that slot ids are written to, or read from. */
  dequeue(handle: number, max: number, at: number): number
  enqueue(handle: number, count: number, at: number): number
  /** 0 = a kick will come, 1 = something is there already: do not sleep, 2 = the ring has no kick: poll it. */
  arm(handle: number): number
  suppress(handle: number): void
  /** Waits for the guest to make something available, two microseconds at most, and dequeues. */
  linger(handle: number, max: number, at: number): number
  /** Nanoseconds that this env has waited so. */
  lingered(): number
  queueFault(handle: number): number
  /** The ring looks as if nobody had ever written it. */
  queueReadsZero(handle: number): boolean
  /**
   * What the handle's calls count, in native memory, and those of the handles of the same block (src/data/ring/queue-counters.ts):
   * pairs of words, by RING_COUNTERS in src/data/counters/counters.ts.
   */
  queueCounters(handle: number): Uint32Array | undefined
  /** Once per env; undefined at a second call or when there is no room. */
  poolOpen(bytes: number): AddonPool | undefined
}

/** The shared memory of an env's pool; src/data/pool/arrays.ts says what is in it. */
export interface AddonPool {
  bytes: ArrayBuffer
  meta: Uint32Array
  freeSmall: Uint32Array
  freeLarge: Uint32Array
  cursors: Uint32Array
  accounts: Uint32Array
  exchange: Uint32Array
}

export interface Addon
  extends AddonSockets,
    AddonWakeup,
    AddonDevices,
    AddonMemory,
    AddonQueues,
    AddonGuest,
    AddonRawFds,
    AddonBpf,
    AddonTap {}

let loaded: Addon | undefined

/** The addon; throws ERR_VHOST_ADDON_MISSING when it was not built, or not for this Node. */
export function native(): Addon {
  loaded ??= load()
  return loaded
}

function load(): Addon {
  const root = fileURLToPath(new URL('../../..', import.meta.url))
  const { platform, arch } = process
  // Another build of the same addon, for instance one with sanitizers.
  const path = process.env.RX_VHOST_ADDON ?? findAddon(root, platform, arch)
  const isRepository = existsSync(join(root, 'tsconfig.json'))
  try {
    if (path === undefined) throw new Error(`no addon for ${platform}-${arch} below ${root}`)
    return createRequire(import.meta.url)(path) as Addon
  } catch (cause) {
    const what =
      path === undefined ? `there is no addon in ${root}` : `the addon could not be loaded from ${path}`
    throw new VhostError('ERR_VHOST_ADDON_MISSING', what, {
      path: path ?? root,
      fix: addonFix({ platform, arch, glibc: glibcVersion(), isRepository }),
      cause,
    })
  }
}

/** Node says it in a report only. */
function glibcVersion(): string | undefined {
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } }
  return header?.glibcVersionRuntime
}

/** An errno that Node has no name for: of a TAP interface that was deleted. */
const EBADFD = -77

/** `ECONNREFUSED` and the like, for a negative errno. */
export function errnoName(error: number): string {
  if (error === EBADFD) return 'EBADFD'
  try {
    return getSystemErrorName(error)
  } catch {
    return `errno ${-error}`
  }
}
