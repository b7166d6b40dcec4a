// Builds the program that bench/micro measures, from native/bench/ and from the object files of the addon, so that the
// figures apply to the published code. An error names a missing tool with its Debian package.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { MissingError } from '../support/c-program.js'
import { root } from '../support/program.js'

const native = join(root, 'native')
const addon = join(native, 'build', 'Release', 'obj.target', 'rx_vhost')
const output = join(native, 'build-micro')

/** The addon's flags, from binding.gyp and Node's common.gypi; here they affect only code inlined from headers. */
const FLAGS = [
  ...['-std=c++20', '-O3', '-g', '-fPIC', '-pthread', '-fno-omit-frame-pointer', '-fno-strict-aliasing'],
  ...['-fno-exceptions', '-fno-rtti', '-fvisibility=hidden', '-Wall', '-Wextra', '-Werror'],
  ...['-Wno-missing-field-initializers', '-D_GNU_SOURCE', `-I${native}`],
]

export interface Toolchain {
  compiler: string
  libc: string
  valgrind: string
  /** `avx2` or `sse2`: version of memcpy that libc selects. Valgrind shows the same CPU on all machines with AVX2. */
  vectors: string
  dpdk: string
}

function ask(command: string, args: string[], packages: string): string {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new MissingError(`${command} ${args.join(' ')} failed: apt-get install ${packages}`)
  return stdout.trim()
}

/** Returns the tools on which the figures depend. Throws MissingError if a tool is not installed. */
export function toolchain(): Toolchain {
  const first = (text: string): string => text.split('\n')[0]
  return {
    compiler: `g++ ${ask('g++', ['-dumpfullversion'], 'build-essential')}`,
    libc: first(ask('getconf', ['GNU_LIBC_VERSION'], 'libc-bin')),
    valgrind: ask('valgrind', ['--version'], 'valgrind'),
    vectors: / avx2 /.test(readFileSync('/proc/cpuinfo', 'utf8')) ? 'avx2' : 'sse2',
    dpdk: ask('pkg-config', ['--modversion', 'libdpdk'], 'libdpdk-dev pkg-config'),
  }
}

const words = (text: string): string[] => text.split(/\s+/).filter(Boolean)

/** Returns the files below `folder` whose names end in `ending`. */
const under = (folder: string, ending: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith(ending))
    .map(file => join(folder, file))

const age = (file: string): number => (existsSync(file) ? statSync(file).mtimeMs : 0)

function compiler(args: string[]): void {
  if (spawnSync('g++', args, { stdio: ['ignore', 'inherit', 'inherit'] }).status !== 0)
    throw new Error('g++ could not build bench/micro')
}

/** Builds the program if it is older than its sources; returns its path. */
export function buildMicro(): string {
  if (!existsSync(addon)) throw new Error('the addon is not built: npm run build')
  const dpdk = (option: string): string[] =>
    words(ask('pkg-config', [option, 'libdpdk'], 'libdpdk-dev pkg-config'))
  const program = join(output, 'micro')
  // All parts of the core except the filters, which would need libpcap.
  const parts = ['core/base', 'core/memory', 'core/virtqueue', 'core/vhost', 'core/net', 'guest']
  const core = parts.flatMap(folder => under(join(addon, folder), '.o'))
  const sources = under(join(native, 'bench'), '.cc')
  const newest = Math.max(...[...core, ...sources, ...under(join(native, 'bench'), '.h')].map(age))
  if (age(program) > newest) return program
  mkdirSync(output, { recursive: true })
  console.error('building native/build-micro/micro')
  const objects = sources.map(source => {
    const object = join(output, `${source.slice(native.length + 1).replaceAll('/', '-')}.o`)
    // Include DPDK's headers as system headers, because they do not compile without warnings.
    const theirs = source.endsWith('/theirs.cc')
      ? [...dpdk('--cflags').map(flag => flag.replace(/^-I/, '-isystem')), '-DALLOW_EXPERIMENTAL_API']
      : []
    compiler([...FLAGS, ...theirs, '-c', source, '-o', object])
    return object
  })
  // -z now: symbols are resolved at start, so that the first call of a function is not more expensive.
  compiler(['-pthread', '-Wl,-z,now', ...objects, ...core, ...dpdk('--libs'), '-o', program])
  return program
}
