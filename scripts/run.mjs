// What `npm start` and `npm test` call. It has no dependency, since it runs on a fresh clone before anything is
// installed: it installs, compiles and builds what is missing or out of date, says what it does, then runs the task.
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

/** Runs `work` when `hash` differs from the one noted under `name` at the last success, or what it makes is gone. */
function whenChanged(name, hash, made, what, work) {
  const stamp = join(stampDir, name)
  const isNoted = existsSync(stamp) && readFileSync(stamp, 'utf8') === hash
  // Stamps outlive `rm -rf dist`, and come along with a copied node_modules.
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

/** What goes to gyp: the published binary is portable. A system without a static libstdc++ gets one for itself. */
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
  // Built here with tools that are gone, or taken from elsewhere: it is of these sources.
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

/** Without a compiler: a binary that was built elsewhere, if it was made of these sources. */
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
  // Not in place: a process may run what is there.
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

/** Outputs of sources that were moved or removed: their tests would still run, and their modules be published. */
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
/** Tests, and then what they skipped. Gives their status. */
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
   * Instructions per packet of the native core and of librte_vhost, then what operators cost, then the pace of captures, which
   * is printed and never judged; `-- --operators`: operators alone; `-- --lines dequeue-64-32` says where the instructions are.
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
  /** Pages of the API, from the comments, in docs/api. */
  docs() {
    install()
    const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const entries = Object.values(exports)
      .filter(entry => entry.import)
      .map(entry => entry.import.default.replace('./dist/', '').replace(/js$/, 'ts'))
    process.exit(run(bin('typedoc'), [...entries, ...rest]))
  },
  /** The C++ enum and the documents' tables of counters, from their declaration. */
  generate() {
    install()
    compile()
    mustRun(process.execPath, ['scripts/generate.mjs'])
  },
  /** Throughput against librte_vhost, or another bench: `-- latency`, `-- flame`. */
  bench() {
    build()
    const [name, ...args] = ['latency', 'flame'].includes(rest[0]) ? rest : ['throughput', ...rest]
    process.exit(run(process.execPath, [`dist/bench/${name}/main.js`, ...args]))
  },
  /** What a device costs as there are 1 to 1,000 of them; `-- --quick` for a tenth. */
  scale() {
    build()
    process.exit(run(process.execPath, ['dist/bench/scale/scale.js', ...rest]))
  },
  /** What an attacker leaves to an honest guest; `-- --only TEXT` for some of the attacks. */
  fairness() {
    build()
    process.exit(run(process.execPath, ['dist/bench/fairness/main.js', ...rest]))
  },
  /** 100 million packets: memory and pauses; `-- --packets N` for another number. */
  endurance() {
    build()
    process.exit(run(process.execPath, ['dist/bench/scale/endurance.js', ...rest]))
  },
  /** Spin's search for a lost wake-up (apt-get install spin). */
  model() {
    process.exit(run(process.execPath, ['scripts/model.mjs']))
  },
  /** A hundred million packets between two threads that sleep; `-- --iterations N` for another number. */
  stress() {
    process.exit(run(process.execPath, ['scripts/stress.mjs', ...rest]))
  },
  /** What npm runs before it packs: everything that goes into the package is built. */
  prepack() {
    build()
    mustRun(process.execPath, ['scripts/prebuilds.mjs'])
  },
  /** The package as it is published: rx-vhost-<version>.tgz. */
  package() {
    mustRun('npm', ['pack', ...rest])
  },
  /** The package, installed and used by each Node. */
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
