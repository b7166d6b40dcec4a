// The sources of the addon, and a stamp behind each binary that is published: the hash of the sources that it was made
// of. So a binary that was copied from elsewhere is known to be of this tree, or not to be.
import { createHash } from 'node:crypto'
import { appendFileSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { native } from './programs.mjs'

/** What the addon is built of, below native/. */
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

/** Behind its last section, where a loader does not look. `strip` removes it. */
export const stamp = (binary, hash) => appendFileSync(binary, stampOf(hash))

export const isOfSources = (bytes, hash) =>
  bytes.toString('latin1', bytes.length - 128).endsWith(stampOf(hash))
