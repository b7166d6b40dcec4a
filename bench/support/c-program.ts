// C programs of the benches, built when they are run: against libdpdk, or against nothing. What is missing is named
// with the package that has it. No -march=native on either side of a comparison: libdpdk's own flags ask for corei7.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './program.js'

/** Something is not installed; the message says how to get it. */
export class MissingError extends Error {}

export interface CProgram {
  name: string
  /** Below bench/. Headers beside them count as sources too. */
  sources: string[]
  /** Links libdpdk, and these of its drivers besides what pkg-config names. */
  dpdk?: { libraries?: string[] }
  flags?: string[]
}

const output = join(root, 'bench', 'build')
const FLAGS = ['-std=gnu11', '-O3', '-g', '-Wall', '-Wextra', '-Werror', '-pthread']

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

/** DPDK's version, for the record. */
export const dpdkVersion = (): string =>
  need('pkg-config', ['--modversion', 'libdpdk'], 'libdpdk-dev pkg-config')

/** Builds it if its sources or flags have changed, and returns the path of the program. */
export function buildC({ name, sources, dpdk, flags = [] }: CProgram): string {
  need('gcc', ['--version'], 'build-essential')
  const found = dpdk ? dpdkFlags(dpdk) : { compile: [], link: [] }
  const files = sources.map(file => join(root, 'bench', file))
  const folder = join(root, 'bench', sources[0], '..')
  const headers = readdirSync(folder)
    .filter(file => file.endsWith('.h'))
    .map(file => join(folder, file))
  const program = join(output, name)
  const args = [...FLAGS, ...flags, ...found.compile, ...files, '-o', program, ...found.link]
  const hash = createHash('sha256').update(args.join(' '))
  for (const file of [...files, ...headers]) hash.update(readFileSync(file))
  const digest = hash.digest('hex')
  const stamp = `${program}.hash`
  if (existsSync(program) && existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return program
  mkdirSync(output, { recursive: true })
  console.error(`building bench/build/${name}`)
  const { status } = spawnSync('gcc', args, { stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0) throw new Error(`gcc could not build ${name}`)
  writeFileSync(stamp, digest)
  return program
}
