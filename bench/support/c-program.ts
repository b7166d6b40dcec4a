// Builds the C and C++ programs of the benches before they run, with or without libdpdk and sources of native/. An
// error names a missing tool with its Debian package. Neither side of a comparison uses -march=native; libdpdk's flags
// select corei7.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './program.js'

/** Thrown if the bench can't run: the message says which package to install or which options are valid. */
export class MissingError extends Error {}

export interface CProgram {
  name: string
  /** Source files below bench/, in C, or in C++ with the ending .cc. Headers in the same folder are sources too. */
  sources: string[]
  /** Folders below native/ whose sources are added to a C++ program. */
  native?: string[]
  /** Links libdpdk, and the named drivers in addition to the libraries that pkg-config prints. */
  dpdk?: { libraries?: string[] }
  flags?: string[]
}

const output = join(root, 'bench', 'build')
const FLAGS = ['-O3', '-g', '-Wall', '-Wextra', '-Werror', '-pthread']
const C_FLAGS = ['-std=gnu11']
/** The C++ flags of native/binding.gyp. */
const CPP_FLAGS = [
  ...['-std=c++20', '-fno-exceptions', '-fno-rtti', '-fno-strict-aliasing', '-D_GNU_SOURCE'],
  ...['-Wno-missing-field-initializers', `-I${join(root, 'native')}`],
]

function need(command: string, args: string[], fix: string): string {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new MissingError(`${command} ${args.join(' ')} failed: apt-get install ${fix}`)
  return stdout.trim()
}

const words = (text: string): string[] => text.split(/\s+/).filter(Boolean)

function dpdkFlags({ libraries = [] }: { libraries?: string[] }): { compile: string[]; link: string[] } {
  const packages = 'libdpdk-dev pkg-config'
  need('pkg-config', ['--version'], packages)
  need('pkg-config', ['--exists', 'libdpdk'], packages)
  return {
    compile: words(need('pkg-config', ['--cflags', 'libdpdk'], packages)),
    link: [
      ...words(need('pkg-config', ['--libs', 'libdpdk'], packages)),
      ...libraries.map(name => `-l${name}`),
    ],
  }
}

/** Returns DPDK's version, which is saved with the results. */
export const dpdkVersion = (): string =>
  need('pkg-config', ['--modversion', 'libdpdk'], 'libdpdk-dev pkg-config')

/** Builds a program if its sources or flags have changed. Returns its path. */
export function buildC({ name, sources, native = [], dpdk, flags = [] }: CProgram): string {
  const isCpp = sources[0].endsWith('.cc')
  const compiler = isCpp ? 'g++' : 'gcc'
  need(compiler, ['--version'], 'build-essential')
  const found = dpdk ? dpdkFlags(dpdk) : { compile: [], link: [] }
  const folders = [join(root, 'bench', sources[0], '..'), ...native.map(name => join(root, 'native', name))]
  const beside = (ending: string, among = folders): string[] =>
    among.flatMap(folder =>
      readdirSync(folder)
        .filter(file => file.endsWith(ending))
        .map(file => join(folder, file)),
    )
  const files = [...sources.map(file => join(root, 'bench', file)), ...beside('.cc', folders.slice(1))]
  const headers = beside('.h')
  const program = join(output, name)
  const args = [
    ...FLAGS,
    ...(isCpp ? CPP_FLAGS : C_FLAGS),
    ...flags,
    ...found.compile,
    ...files,
    '-o',
    program,
    ...found.link,
  ]
  const hash = createHash('sha256').update(args.join(' '))
  for (const file of [...files, ...headers]) hash.update(readFileSync(file))
  const digest = hash.digest('hex')
  const stamp = `${program}.hash`
  if (existsSync(program) && existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return program
  mkdirSync(output, { recursive: true })
  console.error(`building bench/build/${name}`)
  const { status } = spawnSync(compiler, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0) throw new Error(`${compiler} could not build ${name}`)
  writeFileSync(stamp, digest)
  return program
}
