// Loads the addon, and types what it exports. The addon is loaded at first use, so that `rx-vhost/operators` and
// `rx-vhost/testing` work where none was built.
//
// Functions are flat: numbers, typed arrays and short strings in, a number out. A failure is a negative number: an
// errno for sockets and watches, a reason (src/addon/reasons.ts) for devices, rings and queues. File descriptors are
// opaque tokens (0 = none) that native code owns. A function that consumes a token does so also when it fails.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { getSystemErrorName } from 'node:util'
import { VhostError } from '../errors.js'
import type { AddonBpf } from './bpf.js'
import type { AddonDevices } from './devices.js'
import type { AddonGuest, AddonRawFds } from './guest.js'
import type { AddonWakeup } from './loop.js'
import type { AddonMemory } from './memory.js'
import { addonFix, findAddon } from './path.js'
import type { AddonPool, AddonQueues } from './queues.js'
import type { AddonSockets } from './sockets.js'
import type { AddonTap } from './tap.js'

export { FDS_EXHAUSTED, FDS_TRUNCATED, type FdToken } from './sockets.js'
export type { AddonPool }

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

/** The addon. Throws ERR_VHOST_ADDON_MISSING if there is none, or none that this Node can load. */
export function native(): Addon {
  loaded ??= load()
  return loaded
}

function load(): Addon {
  const root = fileURLToPath(new URL('../../..', import.meta.url))
  const { platform, arch } = process
  // RX_VHOST_ADDON names another build of the addon, for instance one with sanitizers.
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

/** undefined with another libc. Node has the version in its diagnostic report only. */
function glibcVersion(): string | undefined {
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } }
  return header?.glibcVersionRuntime
}

/** An errno that Node has no name for: a TAP interface was deleted. */
const EBADFD = -77

/** The name of a negative errno, for instance `ECONNREFUSED`. */
export function errnoName(error: number): string {
  if (error === EBADFD) return 'EBADFD'
  try {
    return getSystemErrorName(error)
  } catch {
    return `errno ${-error}`
  }
}
