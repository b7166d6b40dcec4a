// The list of the addon's sources, and the stamp of published binaries: the hash of the sources from which a binary was
// built. The stamp tells whether a copied binary belongs to this tree.
import { createHash } from 'node:crypto'
import { appendFileSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { native } from './programs.mjs'

/** The sources of the addon, below native/. */
export const SOURCES = ['addon', 'binding.gyp', 'core', 'guest', 'libpcap.mjs']

export function sourcesHash() {
  const files = SOURCES.flatMap(source =>
    statSync(join(native, source)).isFile()
      ? [source]
      : readdirSync(join(native, source), { recursive: true }).map(file => join(source, String(file))),
  )
    .filter(file => statSync(join(native, file)).isFile())
    .sort()
  const hash = createHash('sha256')
  for (const file of files) hash.update(`${file}\n`).update(readFileSync(join(native, file)))
  return hash.digest('hex')
}

const stampOf = hash => `\nrx-vhost sources ${hash}\n`

/** The stamp is appended to the file, where no loader looks. `strip` removes it. */
export const stamp = (binary, hash) => appendFileSync(binary, stampOf(hash))

export const isOfSources = (bytes, hash) =>
  bytes.toString('latin1', bytes.length - 128).endsWith(stampOf(hash))
