// The package as npm makes it, and as a user has it: installed from its tarball in an empty folder, where no compiler
// can be reached and no install script runs.
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export const root = join(import.meta.dirname, '../../../..')

interface Manifest {
  version: string
  exports: Record<string, unknown>
  typesVersions: { '*': Record<string, string[]> }
  scripts: Record<string, string>
}
export const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest

/** `rx-vhost`, `rx-vhost/operators` and so on: whatever package.json exports as a module. */
export const entries = Object.keys(manifest.exports)
  .filter(entry => !entry.endsWith('.json'))
  .map(entry => entry.replace('.', 'rx-vhost'))

/** npm's own program, beside Node's: a PATH without tools has no npm either. */
function npm(args: string[], cwd: string, env: NodeJS.ProcessEnv = process.env): string {
  const beside = join(dirname(process.execPath), 'npm')
  const program = existsSync(beside) ? realpathSync(beside) : (process.env.npm_execpath ?? '')
  // Of the npm that runs this test; its own folder would win over `cwd`.
  const { npm_config_local_prefix: _, ...rest } = env
  const options = ['--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error']
  return execFileSync(process.execPath, [program, ...args, ...options], { cwd, env: rest, encoding: 'utf8' })
}

export interface Packed {
  tarball: string
  /** Of the tarball, and of all that is in it. */
  size: number
  unpackedSize: number
  files: { path: string; size: number }[]
}

/** A folder that is gone after the tests, and the package in it. `npm run test:package` has built what goes in. */
export function pack(): Packed & { folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-package-'))
  // Not by prepack: that has run, and would print between npm's lines.
  const args = ['pack', '--json', '--ignore-scripts', `--pack-destination=${folder}`]
  const [packed] = JSON.parse(npm(args, root)) as (Packed & { filename: string })[]
  const tarball = join(folder, packed.filename)
  return { ...packed, tarball, folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** Installs the tarball in a new folder below `within`; returns where. */
export function install({ tarball }: Packed, within: string): string {
  const folder = join(within, 'app')
  const path = join(within, 'path')
  mkdirSync(folder)
  mkdirSync(path)
  symlinkSync(process.execPath, join(path, 'node'))
  writeFileSync(join(folder, 'package.json'), '{ "name": "app", "private": true }\n')
  npm(['install', '--ignore-scripts', tarball], folder, { ...process.env, PATH: path })
  return folder
}

/** The program of another Node, from npm, kept under .cache. `version`: 22, or 20.19.0. */
export function nodeOf(version: string, arch = process.arch): string {
  const folder = join(root, '.cache', 'node', `${version}-${arch}`)
  const name = `node-linux-${arch}`
  const program = join(folder, 'node_modules', name, 'bin', 'node')
  if (!existsSync(program)) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    // --force: also one for another processor.
    npm(['install', '--force', '--ignore-scripts', '--no-save', `${name}@${version}`], folder)
  }
  return program
}
