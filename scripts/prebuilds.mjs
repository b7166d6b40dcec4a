// Makes the binaries of the published package, in prebuilds/. For this machine's processor it is the addon that was
// built and tested here, and for the other processor one from Debian's cross compiler. Both contain libpcap's filter
// compiler, are stripped, and have the stamp of their sources. `prepack` runs this script; without both binaries there
// is no package.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { archiveFor } from './libpcap-archive.mjs'
import { copySources, nodedir } from './native-copy.mjs'
import { sourcesHash, stamp } from './native-sources.mjs'
import { root } from './programs.mjs'
import { hasStaticLibstdcxx, missingTools } from './toolchain.mjs'

/** The prefix of the tools for each processor. */
const TOOLS = { x64: 'x86_64-linux-gnu-', arm64: 'aarch64-linux-gnu-' }

function run(command, args, env = {}) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    // `npm pack --json` prints to stdout.
    stdio: ['ignore', 2, 2],
    env: { ...process.env, ...env },
  })
  if (status === 0) return
  console.error(`rx-vhost: ${command} ended with ${error?.message ?? status}`)
  process.exit(1)
}

function fail(line) {
  console.error(`rx-vhost: ${line}`)
  process.exit(1)
}

function needCompiler(arch) {
  const compiler = `${TOOLS[arch]}g++`
  if (arch === process.arch) {
    const missing = missingTools()
    // run.mjs then uses a binary that was built elsewhere.
    if (missing) fail(`${missing.names} needed for the package: ${missing.remedy}`)
    if (!hasStaticLibstdcxx())
      fail('libstdc++.a is needed for the package: apt-get install g++, dnf install libstdc++-static')
  } else if (spawnSync(compiler, ['--version'], { stdio: 'ignore' }).status !== 0) {
    const debianPackage = `g++-${TOOLS[arch].slice(0, -1).replace('_', '-')}`
    fail(`${compiler} is needed for the package: apt-get install ${debianPackage}`)
  }
}

/** A text that every binary with libpcap's compiler contains. */
const WORDS_OF_LIBPCAP = 'syntax error in filter expression'

function checkHasLibpcap(binary, archive) {
  if (readFileSync(binary).includes(WORDS_OF_LIBPCAP)) return
  fail(`${archive} can not be linked into a shared object: the package is made with that of Debian 12`)
}

/** Builds for another processor in a separate folder. Unchanged files are not built again. */
function crossBuild(arch, archive) {
  const copy = copySources(`build-${arch}`)
  const gyp = join(root, 'node_modules', '.bin', 'node-gyp')
  const flags = [`--directory=${copy}`, `--arch=${arch}`, '--loglevel=error', ...nodedir()]
  const [CC, CXX, AR] = ['gcc', 'g++', 'ar'].map(tool => TOOLS[arch] + tool)
  // GCC 12 for arm64 warns of branches that a copy of 16 bytes never takes (core/base/copy.h).
  const env = { CC, CXX, AR, CXXFLAGS: '-Wno-array-bounds', MAKEFLAGS: '-s', LIBPCAP_ARCHIVE: archive }
  run(gyp, ['configure', ...flags, '--', '-Dportable=1'], env)
  run(gyp, ['build', ...flags, '-j', '2'], env)
  return copy
}

const archs = Object.keys(TOOLS)
for (const arch of archs) needCompiler(arch)
const archives = Object.fromEntries(archs.map(arch => [arch, archiveFor(arch, TOOLS[arch])]))
const hash = sourcesHash()

rmSync(join(root, 'prebuilds'), { recursive: true, force: true })
for (const arch of archs) {
  const isOurs = arch === process.arch
  const built = isOurs ? join(root, 'native') : crossBuild(arch, archives[arch])
  const binary = join(root, 'prebuilds', `linux-${arch}`, 'rx_vhost.node')
  mkdirSync(dirname(binary), { recursive: true })
  const strip = isOurs ? 'strip' : `${TOOLS[arch]}strip`
  run(strip, ['-o', binary, join(built, 'build', 'Release', 'rx_vhost.node')])
  checkHasLibpcap(binary, archives[arch])
  stamp(binary, hash)
}
