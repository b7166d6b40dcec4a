// Finds the archive of libpcap for each processor for which the package has a binary. For this machine's processor it
// is the installed one. For another processor it comes from Debian's package, which is downloaded to .cache and not
// installed. apt then uses its own lists and cache, and the system does not change.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { findArchive } from '../native/libpcap.mjs'
import { root } from './programs.mjs'

const DEBIAN = { x64: 'amd64', arm64: 'arm64' }
const PACKAGE = 'libpcap0.8-dev'

function run(command, args, cwd = root) {
  // `npm pack --json` prints to stdout.
  const { status, error } = spawnSync(command, args, { cwd, stdio: ['ignore', 2, 2] })
  if (status === 0) return
  console.error(`rx-vhost: ${command} ended with ${error?.message ?? status}`)
  process.exit(1)
}

function download(arch) {
  const archive = join(root, '.cache', `libpcap-${arch}`, 'libpcap.a')
  if (existsSync(archive)) return archive
  console.error(`rx-vhost: downloading ${PACKAGE}:${DEBIAN[arch]}`)
  const work = `${dirname(archive)}.part`
  rmSync(work, { recursive: true, force: true })
  for (const made of ['lists/partial', 'cache/archives/partial', 'files'])
    mkdirSync(join(work, made), { recursive: true })
  const options = {
    'Dir::State::lists': join(work, 'lists'),
    'Dir::State::status': '/dev/null',
    'Dir::Cache': join(work, 'cache'),
    'APT::Architecture': DEBIAN[arch],
    'APT::Architectures': DEBIAN[arch],
    'APT::Sandbox::User': 'root',
    'Debug::NoLocking': '1',
  }
  const apt = ['-qq', ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`])]
  run('apt-get', [...apt, 'update'])
  run('apt-get', [...apt, 'download', PACKAGE], work)
  const deb = readdirSync(work).find(file => file.endsWith('.deb'))
  run('dpkg', ['-x', join(work, deb), join(work, 'files')])
  const found = readdirSync(join(work, 'files'), { recursive: true })
    .map(String)
    .find(file => file.endsWith('/libpcap.a'))
  mkdirSync(dirname(archive), { recursive: true })
  renameSync(join(work, 'files', found), archive)
  rmSync(work, { recursive: true })
  return archive
}

/** Ends the process if there is no archive. `tools`: the prefix of the compiler's tools for this processor. */
export function archiveFor(arch, tools) {
  const isOurs = arch === process.arch
  const found = findArchive(isOurs ? undefined : { CXX: `${tools}g++` })
  if (found) return found
  if (!isOurs) return download(arch)
  console.error(`rx-vhost: libpcap.a is needed for the package: apt-get install ${PACKAGE}`)
  process.exit(1)
}
