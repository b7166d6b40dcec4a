// Finds a binary of the addon that was built elsewhere, for a machine without a compiler. It looks in prebuilds/, and
// for the package's tarball in this folder and the one above. It never uses a binary of other sources, or one that
// belongs to another user, because every user may be able to write to the folder above.
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { isOfSources } from './native-sources.mjs'
import { root } from './programs.mjs'

const BLOCK = 512

/** Returns the bytes of a file in a tar archive; undefined if there is no file with this name. */
function fromTar(archive, wanted) {
  const text = (at, length) => archive.toString('latin1', at, at + length).replace(/\0.*$/s, '')
  for (let at = 0; at + BLOCK <= archive.length && archive[at] !== 0; ) {
    const [name, size, prefix] = [text(at, 100), Number.parseInt(text(at + 124, 12), 8), text(at + 345, 155)]
    const begin = at + BLOCK
    if ((prefix ? `${prefix}/${name}` : name) === wanted) return archive.subarray(begin, begin + size)
    at = begin + Math.ceil(size / BLOCK) * BLOCK
  }
  return undefined
}

/** The places to look at, nearest first, each with a name and a function that reads the binary. */
function places() {
  const binary = `prebuilds/${process.platform}-${process.arch}/rx_vhost.node`
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const tarballs = [root, join(root, '..')].map(folder => join(folder, `rx-vhost-${version}.tgz`))
  return [
    { path: join(root, binary), read: path => readFileSync(path) },
    ...tarballs.map(path => ({
      path,
      read: () => fromTar(gunzipSync(readFileSync(path)), `package/${binary}`),
    })),
  ].map(place => ({ ...place, name: relative(root, place.path) }))
}

const isOurs = path => [0, process.getuid()].includes(statSync(path).uid)

/**
 * Returns the binary of the sources with this hash, `{ name, bytes }`, or the binaries that can't be used, `{ others,
 * names }`.
 */
export function findPrebuilt(hash) {
  const others = []
  const all = places()
  for (const { path, name, read } of all) {
    if (!existsSync(path)) continue
    const bytes = isOurs(path) ? read(path) : undefined
    if (bytes && isOfSources(bytes, hash)) return { name, bytes }
    const missing = isOurs(path) ? 'without a binary for this machine' : "another user's"
    others.push(`${name} is ${bytes ? 'of other sources' : missing}`)
  }
  return { others, names: all.map(({ name }) => name) }
}
