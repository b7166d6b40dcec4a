// Where the addon is, and what to say when it can't be loaded. Below native.ts; knows nothing of what the addon does.
//
// A published package has one binary for each processor (`prebuilds/linux-x64/rx_vhost.node`), made against Node-API 8 and
// so good for every Node from 20 on. A binary that was built in place goes before it: who built one meant it.
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** The oldest libc that the published binaries take; held by test/package. */
export const GLIBC_BASELINE = '2.34'

/** Where the addon of this process is, below the package's folder; undefined when there is none for it. */
export function findAddon(root: string, platform: string, arch: string): string | undefined {
  return [
    join(root, 'native', 'build', 'Release', 'rx_vhost.node'),
    join(root, 'prebuilds', `${platform}-${arch}`, 'rx_vhost.node'),
  ].find(path => existsSync(path))
}

/** What is known of a system on which the addon could not be loaded. */
export interface System {
  platform: string
  arch: string
  /** Its version of glibc; undefined where libc is another, as on Alpine. */
  glibc: string | undefined
  /** Not an installed package but the repository: `npm run build` works. */
  isRepository: boolean
}

const BUILD_IN_PLACE =
  'npm install --no-save node-addon-api@8 node-gyp@12 && ' +
  'npx node-gyp rebuild --directory=node_modules/rx-vhost/native'

const isOlder = (version: string, than: string): boolean =>
  version.localeCompare(than, 'en', { numeric: true }) < 0

/** What to do where there is no addon, or none that loads. */
export function addonFix({ platform, arch, glibc, isRepository }: System): string {
  if (platform !== 'linux')
    return `run it on Linux; on ${platform} all but drivers and guests works, rx-vhost/testing in particular`
  if (isRepository) return 'run `npm run build`, which needs the packages build-essential and python3'
  const build = `build it with g++, make and python3: ${BUILD_IN_PLACE}`
  if (glibc === undefined)
    return `the binaries are for glibc, and this system has another libc (musl?): ${build}`
  if (isOlder(glibc, GLIBC_BASELINE))
    return `the binaries need glibc ${GLIBC_BASELINE}, and this system has ${glibc}: ${build}`
  return `the binaries are for x64 and arm64, and this is ${arch}; if it is one of these, reinstall; otherwise ${build}`
}
