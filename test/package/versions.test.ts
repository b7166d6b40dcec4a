// The installed package under every Node that package.json names: with `import` and with `require`, without its addon
// where none is needed, with packets of two guests, and with a filter.
import { execFile, spawnSync } from 'node:child_process'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { needing } from '../support/needs.js'
import { entries, install, nodeOf, pack, root } from './support/installed.js'

/** The oldest that `engines` takes, and the newest of each line; `.ci/run` itself runs on one of them. */
const VERSIONS = ['20.19.0', '20', '22', '24', '26']
const FRAMES = 1000

const packed = pack()
const app = install(packed, packed.folder)
test.after.always(() => packed.remove())
// Here `rx-vhost` is what is installed; in dist/test it would be the repository itself.
cpSync(join(root, 'dist/test/package/fixtures/entries.cjs'), join(app, 'entries.cjs'))
for (const name of ['traffic', 'filter'])
  cpSync(join(root, `dist/test/package/fixtures/${name}.js`), join(app, `${name}.mjs`))

/** Runs it in the folder of the package and gives the JSON that it prints. */
async function json<T>(command: readonly string[], ...args: string[]): Promise<T> {
  const [program, ...first] = command
  // Neither strict leases nor another addon or libpcap: as with a user.
  const { RX_VHOST_LEASES, RX_VHOST_ADDON, RX_VHOST_LIBPCAP, NODE_OPTIONS, ...env } = process.env
  const { stdout } = await promisify(execFile)(program, [...first, ...args], { cwd: app, env })
  return JSON.parse(stdout)
}

interface Entries {
  found: Record<string, number>
  loaded: boolean
}

interface Traffic {
  node: string
  arch: string
  addon: string
  reports: number[][]
}

interface Filter {
  verdicts: boolean[]
  libpcaps: string[]
}

async function works(t: ExecutionContext, command: readonly string[], arch: string): Promise<Traffic> {
  const { found, loaded } = await json<Entries>(command, 'entries.cjs', ...entries)
  t.deepEqual(Object.keys(found), entries)
  for (const [entry, exported] of Object.entries(found)) t.true(exported > 0, entry)
  t.false(loaded, 'the addon was loaded by an import')
  const { verdicts, libpcaps } = await json<Filter>(command, 'filter.mjs')
  t.deepEqual(verdicts, [true, false, true, false])
  t.deepEqual(libpcaps, [], 'a filter needs no libpcap of the system')
  const traffic = await json<Traffic>(command, 'traffic.mjs', String(FRAMES))
  t.deepEqual(traffic.reports, Array(2).fill([FRAMES, 0, 0, 0]))
  t.is(traffic.arch, arch)
  t.is(traffic.addon, `node_modules/rx-vhost/prebuilds/linux-${arch}/rx_vhost.node`)
  return traffic
}

for (const version of VERSIONS) {
  test(`Node ${version}: import and require give the same, without the addon; guests exchange frames`, async t => {
    const { node } = await works(t, [nodeOf(version)], process.arch)
    t.true(`${node.slice(1)}.`.startsWith(`${version}.`), node)
  })
}

const QEMU = 'qemu-aarch64-static'
const emulated = needing({
  of: 'arm64, emulated',
  missing() {
    if (process.arch !== 'x64') return 'run them on x64'
    return spawnSync(QEMU, ['--version']).status === 0 ? undefined : 'apt-get install qemu-user-static'
  },
})

emulated('arm64, emulated: the same', async t => {
  // The libraries of Debian's cross compiler are those that this Node finds.
  const command = [QEMU, '-L', '/usr/aarch64-linux-gnu', nodeOf('24', 'arm64')]
  await works(t, command, 'arm64')
})
