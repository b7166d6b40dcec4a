// Finds the addon's binary, and the remedy to report when it can't be loaded.
//
// A published package has one binary per processor (`prebuilds/linux-x64/rx_vhost.node`). It is built for Node-API 8, so that it
// works with every Node from 20 on. A binary that was built in place is preferred: somebody built it on purpose.
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** The oldest glibc that the published binaries work with; test/package checks that. */
export const GLIBC_BASELINE = '2.34'

/** The path of the addon below the package's folder `root`; undefined if there is none for this platform. */
export function findAddon(root: string, platform: string, arch: string): string | undefined {
  return [
    join(root, 'native', 'build', 'Release', 'rx_vhost.node'),
    join(root, 'prebuilds', `${platform}-${arch}`, 'rx_vhost.node'),
  ].find(path => existsSync(path))
}

/** A system on which the addon could not be loaded. */
export interface System {
  platform: string
  arch: string
  /** Its version of glibc; undefined with another libc, as on Alpine. */
  glibc: string | undefined
  /** True in the repository, where `npm run build` works, rather than in an installed package. */
  isRepository: boolean
}

const BUILD_IN_PLACE =
  'npm install --no-save node-addon-api@8 node-gyp@12 && ' +
  'npx node-gyp rebuild --directory=node_modules/rx-vhost/native'

const isOlder = (version: string, than: string): boolean =>
  version.localeCompare(than, 'en', { numeric: true }) < 0

/** The remedy for a missing addon, or for one that can't be loaded. */
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
