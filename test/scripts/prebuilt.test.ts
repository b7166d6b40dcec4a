// scripts/run.mjs on a machine with Node alone: it takes a binary of the addon that was built elsewhere from the same
// sources, refuses one of other sources, and names what to install where there is none.
import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { type Need, needing } from '../support/needs.js'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const BUILT = 'native/build/Release/rx_vhost.node'
const PREBUILT = `prebuilds/linux-${process.arch}/rx_vhost.node`

/** A program of Node's, wherever it is. */
const program = (path: string, source: string): void =>
  writeFileSync(path, `#!${process.execPath}\n${source}`, { mode: 0o755 })

class Clone {
  readonly folder: string
  readonly #path: string

  /** Of this repository, with its packages and its TypeScript compiled, and without an addon. */
  constructor(t: ExecutionContext) {
    const above = mkdtempSync(join(tmpdir(), 'rx-vhost-clone-'))
    t.teardown(() => rmSync(above, { recursive: true, force: true }))
    this.folder = join(above, 'clone')
    const copied = [
      'scripts',
      'package.json',
      'package-lock.json',
      'tsconfig.json',
      'src',
      'examples',
      'dist/src',
      'dist/examples',
    ]
    const native = ['addon', 'binding.gyp', 'core', 'guest', 'libpcap.mjs'].map(file => `native/${file}`)
    for (const file of [...copied, ...native])
      cpSync(join(root, file), join(this.folder, file), { recursive: true })
    const modules = join(this.folder, 'node_modules')
    mkdirSync(join(modules, '.bin'), { recursive: true })
    for (const name of ['rxjs', 'debug']) symlinkSync(join(root, 'node_modules', name), join(modules, name))
    program(join(modules, '.bin', 'tsc'), `require('fs').writeFileSync('dist/.tsbuildinfo', '')`)
    // All there is on this machine: Node, and an npm that has nothing to do.
    this.#path = join(above, 'bin')
    mkdirSync(this.#path)
    symlinkSync(process.execPath, join(this.#path, 'node'))
    program(join(this.#path, 'npm'), '')
  }

  #node(...args: string[]): { status: number | null; output: string } {
    const { CXX, RX_VHOST_ADDON, LIBPCAP_ARCHIVE, ...env } = process.env
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      cwd: this.folder,
      env: { ...env, PATH: this.#path },
      encoding: 'utf8',
    })
    return { status, output: stdout + stderr }
  }

  readonly run = (...args: string[]) => this.#node('scripts/run.mjs', ...args)

  /** A binary at this path, stamped as one of the sources that the clone has now. */
  binary(path: string): void {
    cpSync(join(root, BUILT), join(this.folder, path))
    const module = JSON.stringify(join(this.folder, 'scripts/native-sources.mjs'))
    const script = `import { sourcesHash, stamp } from ${module}; stamp(${JSON.stringify(path)}, sourcesHash())`
    this.#node('--input-type=module', '-e', script)
  }

  has(path: string): boolean {
    return existsSync(join(this.folder, path))
  }
}

const WHAT_TO_INSTALL = /apt-get install build-essential python3/

test('Node alone, and no binary: what to install, and what to put where', t => {
  const { status, output } = new Clone(t).run('build')
  t.is(status, 1)
  const [last] = output.trim().split('\n').slice(-1)
  t.regex(last, WHAT_TO_INSTALL)
  t.regex(last, /g\+\+.*make.*Python/)
  t.true(last.includes(PREBUILT))
  t.regex(last, /rx-vhost-\d+\.\d+\.\d+\.tgz/)
})

test('Node alone, and prebuilds/ of these sources: npm start forwards frames', t => {
  const clone = new Clone(t)
  clone.binary(PREBUILT)
  const { status, output } = clone.run('start', '--frames', '1000')
  t.is(status, 0, output)
  t.true(output.includes(`taking the addon of ${PREBUILT}`))
  t.regex(output, /corrupted +0/)
  t.regex(clone.run('build').output, /up to date/)
})

test('Node alone, and the tarball of these sources beside the clone: it is taken from there', t => {
  const clone = new Clone(t)
  clone.binary(`package/${PREBUILT}`)
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const tarball = `../rx-vhost-${version}.tgz`
  t.is(spawnSync('tar', ['czf', tarball, 'package'], { cwd: clone.folder }).status, 0)
  rmSync(join(clone.folder, 'package'), { recursive: true })
  const { status, output } = clone.run('build')
  t.is(status, 0, output)
  t.true(output.includes(`taking the addon of ${tarball}`))
  t.true(clone.has(BUILT))
})

test('a binary of other sources is refused, in one line that has the remedy', t => {
  const clone = new Clone(t)
  clone.binary(PREBUILT)
  appendFileSync(join(clone.folder, 'native/core/bpf/libpcap.h'), '\n')
  const { status, output } = clone.run('start')
  t.is(status, 1)
  const lines = output
    .trim()
    .split('\n')
    .filter(line => line.includes(PREBUILT))
  t.is(lines.length, 1, output)
  t.regex(lines[0], /of other sources/)
  t.regex(lines[0], WHAT_TO_INSTALL)
  t.false(clone.has(BUILT))
})

const superuser: Need = {
  of: 'binaries of another user',
  missing: () => (process.getuid!() === 0 ? undefined : 'run them as root'),
}
needing(superuser)('a binary that another user put there is refused', t => {
  const clone = new Clone(t)
  clone.binary(PREBUILT)
  chownSync(join(clone.folder, PREBUILT), 65534, 65534)
  const { status, output } = clone.run('build')
  t.is(status, 1)
  t.regex(output, /another user's/)
  t.false(clone.has(BUILT))
})

test('what was taken is refused, too, when the sources have changed since', t => {
  const clone = new Clone(t)
  clone.binary(PREBUILT)
  t.is(clone.run('build').status, 0)
  appendFileSync(join(clone.folder, 'native/core/bpf/libpcap.h'), '\n')
  t.is(clone.run('build').status, 1)
})
