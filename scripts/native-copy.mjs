// What the builds of the addon have in common: where Node's headers are, and a copy of the sources to build in, since
// node-gyp builds beside its binding.gyp and there is one build there already.
import { cpSync, existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { SOURCES } from './native-sources.mjs'
import { native } from './programs.mjs'

/** Node's own headers when they stand beside its binary; otherwise node-gyp downloads them. */
export function nodedir() {
  const prefix = join(dirname(process.execPath), '..')
  return existsSync(join(prefix, 'include', 'node', 'node_api.h')) ? [`--nodedir=${prefix}`] : []
}

/** Brings native/`folder` up to date with the sources of the addon; what was built in it stays. Returns its path. */
export function copySources(folder) {
  const copy = join(native, folder)
  for (const source of SOURCES) {
    // A file that was removed must not stay behind in the copy.
    const theirs = join(copy, source)
    if (statSync(join(native, source)).isDirectory() && existsSync(theirs))
      for (const file of readdirSync(theirs, { recursive: true }).map(String))
        if (!existsSync(join(native, source, file)))
          rmSync(join(theirs, file), { recursive: true, force: true })
    cpSync(join(native, source), theirs, { recursive: true, preserveTimestamps: true })
  }
  return copy
}
