// Runs the tasks of package.json, such as `npm start` and `npm test`. It has no dependencies, because it runs on a
// fresh clone before anything is installed. It installs, compiles and builds everything that is missing or out of date,
// prints what it does, and then runs the task.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findArchive } from '../native/libpcap.mjs'
import { nodedir } from './native-copy.mjs'
import { sourcesHash } from './native-sources.mjs'
import { findPrebuilt } from './prebuilt.mjs'
import { withSkips } from './skips.mjs'
import { hasStaticLibstdcxx, missingTools } from './toolchain.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const stampDir = join(root, 'node_modules', '.rx-vhost')
const say = line => console.log(`rx-vhost: ${line}`)

function fail(line) {
  console.error(`rx-vhost: ${line}`)
  process.exit(1)
}

function run(command, args, options = {}) {
  const { status, signal, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options })
  if (error) fail(`${command}: ${error.message}`)
  if (signal) process.kill(process.pid, signal)
  return status ?? 1
}

function mustRun(command, args, options) {
  const status = run(command, args, options)
  if (status !== 0) process.exit(status)
}

function filesUnder(folder, skip = /^build|^node_modules$/) {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter(entry => !skip.test(entry.name))
    .flatMap(entry =>
      entry.isDirectory() ? filesUnder(join(folder, entry.name)) : [join(folder, entry.name)],
    )
    .sort()
}

function hashOf(files, extra = '') {
  const hash = createHash('sha256').update(extra)
  for (const file of files) hash.update(file).update(readFileSync(join(root, file)))
  return hash.digest('hex')
}

/** Runs `work` if `hash` differs from the hash that `name` had at the last success, or if `made` does not exist. */
function whenChanged(name, hash, made, what, work) {
  const stamp = join(stampDir, name)
  const isNoted = existsSync(stamp) && readFileSync(stamp, 'utf8') === hash
  // A stamp alone is not enough: it stays after `rm -rf dist`, and is copied with node_modules.
  if (isNoted && existsSync(join(root, made))) return false
  say(what)
  work()
  mkdirSync(stampDir, { recursive: true })
  writeFileSync(stamp, hash)
  return true
}

const bin = name => join(root, 'node_modules', '.bin', name)

function install() {
  return whenChanged(
    'install',
    hashOf(['package-lock.json']),
    'node_modules',
    'installing packages (npm ci)',
    () => mustRun('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']),
  )
}

/** The flags for gyp. The published binary has a static libstdc++; without one, the build works only on this system. */
const gypFlags = () => ['--', `-Dportable=${hasStaticLibstdcxx() ? 1 : 0}`]

const BINARY = 'native/build/Release/rx_vhost.node'

function buildNative() {
  const sources = sourcesHash()
  const stamp = join(stampDir, 'native-build')
  const noted = existsSync(join(root, BINARY)) && existsSync(stamp) ? readFileSync(stamp, 'utf8') : ''
  const archive = findArchive()
  const libpcap = archive ? readFileSync(archive) : 'none'
  const how = createHash('sha256')
    .update(process.version.split('.')[0])
    .update(gypFlags().join(' '))
    .update(libpcap)
  const wanted = `${sources} ${how.digest('hex')}`
  if (noted === wanted) return false
  const missing = missingTools()
  // There is a binary of these sources already, although there are no tools.
  if (missing && noted.startsWith(sources)) return false
  if (missing) takePrebuilt(sources, missing)
  else compileNative()
  mkdirSync(stampDir, { recursive: true })
  writeFileSync(stamp, missing ? `${sources} taken` : wanted)
  return true
}

function compileNative() {
  say('building the addon (native/build)')
  const headers = nodedir()
  if (gypFlags().at(-1).endsWith('0'))
    say('without a static libstdc++ (dnf install libstdc++-static): the addon is for this machine alone')
  const args = ['rebuild', '--directory=native', '--loglevel=error', '-j', '2', ...headers, ...gypFlags()]
  const status = run(bin('node-gyp'), args, { env: { ...process.env, MAKEFLAGS: '-s' } })
  if (status === 0) return
  const fetched = "; Node's headers are not beside it (include/node), so node-gyp downloads them, or fails to"
  fail(`node-gyp ended with ${status}${headers.length === 0 ? fetched : ''}`)
}

/** Without a compiler, uses a binary that was built elsewhere, if it is of these sources. */
function takePrebuilt(sources, { names, remedy }) {
  const { name, bytes, others, names: places } = findPrebuilt(sources)
  const wants = `${names} needed to build the addon: ${remedy}`
  const [binary, tarball] = places ?? []
  if (others?.length > 0)
    fail(`${others.join(', ')}, and so not taken; ${wants}; or get one that was built of these sources`)
  if (!bytes) fail(`${wants}; or put ${binary} or ${tarball} of this version here (README, "Try it")`)
  say(`taking the addon of ${name}, which was built of these sources (to build it here: ${remedy})`)
  const to = join(root, BINARY)
  mkdirSync(dirname(to), { recursive: true })
  // The file is replaced, not overwritten, because a process may be using it.
  rmSync(to, { force: true })
  writeFileSync(to, bytes)
}

function compile() {
  const sources = ['src', 'test', 'examples', 'bench']
    .filter(f => existsSync(join(root, f)))
    .flatMap(f => filesUnder(f))
    .filter(f => /\.c?ts$/.test(f))
  return whenChanged(
    'typescript',
    hashOf([...sources, 'tsconfig.json']),
    'dist/.tsbuildinfo',
    'compiling TypeScript (tsc -b)',
    () => {
      mustRun(bin('tsc'), ['-b'])
      removeStale()
    },
  )
}

/**
 * Removes the outputs of sources that no longer exist: their tests would still run, and their modules would be
 * published.
 */
function removeStale() {
  const stale = filesUnder('dist').filter(file => {
    const source = file.replace(/^dist\//, '').replace(/(\.d)?\.(c?)[jt]s(\.map)?$/, '.$2ts')
    return source.endsWith('ts') && !existsSync(join(root, source))
  })
  for (const file of stale) rmSync(join(root, file))
}

function build() {
  const did = [install(), compile(), buildNative()]
  if (!did.some(Boolean)) say('up to date')
}

const cFiles = () => ['native', 'bench/dpdk'].flatMap(f => filesUnder(f)).filter(f => /\.(cc?|h)$/.test(f))

const [task = 'build', ...rest] = process.argv.slice(2)
/** Runs tests, prints what they skipped, and returns their status. */
const ava = (...args) => withSkips(say, env => run(bin('ava'), [...args, ...rest], { env }))
const tasks = {
  build,
  start() {
    build()
    process.exit(run(process.execPath, ['dist/examples/mirror.js', ...rest]))
  },
  test() {
    build()
    const status = ava()
    say('not run: test/interop (testpmd and QEMU); npm run test:interop runs it, see README "Tests"')
    process.exit(status)
  },
  interop() {
    build()
    process.exit(ava('--config', 'test/interop/ava.config.mjs'))
  },
  /** Ten minutes of full-rate traffic through a slow consumer; `-- --seconds N` for another time. */
  soak() {
    build()
    process.exit(run(process.execPath, ['dist/bench/soak.js', ...rest]))
  },
  /**
   * Counts the instructions per packet of the native core and of librte_vhost, then measures the cost of operators,
   * then the rate of captures, which is only printed. `-- --operators`: only operators; `-- --lines dequeue-64-32`:
   * instructions by line.
   */
  micro() {
    build()
    const only = rest.includes('--operators')
    const native = only ? 0 : run(process.execPath, ['dist/bench/micro/micro.js', ...rest])
    const isAll = only || rest.length === 0
    const operators = isAll ? run(process.execPath, ['dist/bench/micro/operators.js']) : 0
    const captures = isAll && !only ? run(process.execPath, ['dist/bench/capture.js']) : 0
    process.exit(native || operators || captures)
  },
  /** Makes the pages of the API from the comments, in docs/api. */
  docs() {
    install()
    const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const entries = Object.values(exports)
      .filter(entry => entry.import)
      .map(entry => entry.import.default.replace('./dist/', '').replace(/js$/, 'ts'))
    process.exit(run(bin('typedoc'), [...entries, ...rest]))
  },
  /** Writes the C++ enum and the documents' tables of counters from their declaration. */
  generate() {
    install()
    compile()
    mustRun(process.execPath, ['scripts/generate.mjs'])
  },
  /** Compares the throughput with librte_vhost, or runs another bench: `-- latency`, `-- flame`. */
  bench() {
    build()
    const [name, ...args] = ['latency', 'flame'].includes(rest[0]) ? rest : ['throughput', ...rest]
    process.exit(run(process.execPath, [`dist/bench/${name}/main.js`, ...args]))
  },
  /** Measures the cost of a device, with 1 to 1,000 devices; `-- --quick` for a tenth. */
  scale() {
    build()
    process.exit(run(process.execPath, ['dist/bench/scale/scale.js', ...rest]))
  },
  /** Measures what an attacker leaves to an honest guest; `-- --only TEXT` for some of the attacks. */
  fairness() {
    build()
    process.exit(run(process.execPath, ['dist/bench/fairness/main.js', ...rest]))
  },
  /** Measures memory and pauses over 100 million packets; `-- --packets N` for another number. */
  endurance() {
    build()
    process.exit(run(process.execPath, ['dist/bench/scale/endurance.js', ...rest]))
  },
  /** Searches the model for a lost wake-up (apt-get install spin). */
  model() {
    process.exit(run(process.execPath, ['scripts/model.mjs']))
  },
  /** Moves 100 million packets between two threads that sleep; `-- --iterations N` for another number. */
  stress() {
    process.exit(run(process.execPath, ['scripts/stress.mjs', ...rest]))
  },
  /** Builds everything that goes into the package. npm calls it before it packs. */
  prepack() {
    build()
    mustRun(process.execPath, ['scripts/prebuilds.mjs'])
  },
  /** Makes the package that is published: rx-vhost-<version>.tgz. */
  package() {
    mustRun('npm', ['pack', ...rest])
  },
  /** Installs the package and uses it with each version of Node. */
  'package-test'() {
    tasks.prepack()
    process.exit(ava('--config', 'test/package/ava.config.mjs'))
  },
  asan() {
    install()
    compile()
    mustRun(process.execPath, ['scripts/asan.mjs', ...rest])
  },
  lint() {
    install()
    mustRun(bin('biome'), ['ci', '--error-on-warnings', '.'])
    if (spawnSync('clang-format', ['--version'], { stdio: 'ignore' }).status === 0)
      mustRun('clang-format', ['--dry-run', '--Werror', ...cFiles()])
    else say('skipped: the C++ format check (apt-get install clang-format)')
  },
  format() {
    install()
    mustRun(bin('biome'), ['check', '--write', '.'])
    mustRun('clang-format', ['-i', ...cFiles()])
  },
}
if (!(task in tasks)) fail(`unknown task ${task}; one of ${Object.keys(tasks).join(', ')}`)
tasks[task]()
