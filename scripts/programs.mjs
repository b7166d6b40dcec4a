// Builds the programs of the native core that need no Node: the native tests and the stress test of wake-ups. g++
// compiles them in a separate folder below native/, and only changed files again.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = join(dirname(fileURLToPath(import.meta.url)), '..')
export const native = join(root, 'native')

/** Runs a command with the output of this process, and ends this process if it fails. */
export function run(command, args, env = {}) {
  const { status, signal, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  })
  if (status !== 0) {
    console.error(`rx-vhost: ${command} ended with ${error?.message ?? signal ?? status}`)
    process.exit(1)
  }
}

const FLAGS = [
  '-std=c++20',
  '-g',
  '-D_GNU_SOURCE',
  '-fno-exceptions',
  '-fno-rtti',
  '-fno-strict-aliasing',
  '-Wall',
  '-Wextra',
  '-Wno-missing-field-initializers',
  `-I${native}`,
]

/** Files with this ending in a folder of native/. */
const under = (folder, ending) =>
  readdirSync(join(native, folder), { recursive: true })
    .map(String)
    .filter(file => file.endsWith(ending))
    .map(file => join(native, folder, file))

const madeAt = file => statSync(file).mtimeMs

/**
 * Builds native/`build`/`name` from all sources in `folders`, with `flags` in addition to the usual ones. Returns its
 * path.
 */
export function program(build, name, folders, flags) {
  const into = join(native, build)
  mkdirSync(into, { recursive: true })
  const newestHeader = Math.max(
    ...['core', 'guest', 'test'].flatMap(folder => under(folder, '.h')).map(madeAt),
  )
  const objects = folders
    .flatMap(folder => under(folder, '.cc'))
    .map(source => {
      const object = join(into, `${source.slice(native.length + 1).replaceAll('/', '-')}.o`)
      const fresh = existsSync(object) && madeAt(object) > Math.max(newestHeader, madeAt(source))
      if (!fresh) run('g++', [...FLAGS, ...flags, '-c', source, '-o', object])
      return object
    })
  const made = join(into, name)
  run('g++', [...flags, ...objects, '-o', made, '-lpthread', '-ldl'])
  return made
}
