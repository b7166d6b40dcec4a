// Shared by the builds of the addon: finds Node's headers, and makes a copy of the sources for another build, because
// node-gyp builds beside binding.gyp, where the usual build already is.
import { cpSync, existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { SOURCES } from './native-sources.mjs'
import { native } from './programs.mjs'

/** The folder of Node's headers, if they are installed beside its binary. Otherwise node-gyp downloads them. */
export function nodedir() {
  const prefix = join(dirname(process.execPath), '..')
  return existsSync(join(prefix, 'include', 'node', 'node_api.h')) ? [`--nodedir=${prefix}`] : []
}

/** Copies changed sources of the addon to native/`folder`, whose build output stays. Returns its path. */
export function copySources(folder) {
  const copy = join(native, folder)
  for (const source of SOURCES) {
    // Files that were removed are also removed from the copy.
    const theirs = join(copy, source)
    if (statSync(join(native, source)).isDirectory() && existsSync(theirs))
      for (const file of readdirSync(theirs, { recursive: true }).map(String))
        if (!existsSync(join(native, source, file)))
          rmSync(join(theirs, file), { recursive: true, force: true })
    cpSync(join(native, source), theirs, { recursive: true, preserveTimestamps: true })
  }
  return copy
}
