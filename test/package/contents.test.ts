// What is in the tarball, and what the tools that judge packages say of it.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { GLIBC_BASELINE } from '../../src/addon/path.js'
import { inspect } from './support/binary.js'
import { entries, manifest, pack, root } from './support/installed.js'

const packed = pack()
test.after.always(() => packed.remove())
const paths = packed.files.map(({ path }) => path)
const binaries = ['x64', 'arm64'].map(arch => `prebuilds/linux-${arch}/rx_vhost.node`)

/** A tool's own words are the failure's. */
function judge(tool: string, ...args: string[]): string {
  try {
    execFileSync(join(root, 'node_modules', '.bin', tool), args, { cwd: root, encoding: 'utf8' })
    return ''
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    return `${stdout}${stderr}`
  }
}

test('the package is what it needs at run time, its documents, and the sources to build the addon', t => {
  const expected =
    /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|SECURITY\.md|THIRD-PARTY\.md|docs\/[\w-]+\.(md|svg)|dist\/src\/.*\.(js|cjs|d\.ts|d\.cts|js\.map|cjs\.map)|native\/(binding\.gyp|libpcap\.mjs)|native\/(core|guest|addon)\/.*\.(cc|h)|prebuilds\/.*\.node)$/
  t.deepEqual(
    paths.filter(path => !expected.test(path)),
    [],
  )
  t.deepEqual(paths.filter(path => path.endsWith('.node')).sort(), [...binaries].sort())
  for (const path of [
    'README.md',
    'LICENSE',
    'THIRD-PARTY.md',
    'docs/errors.md',
    'native/addon/addon.cc',
    'native/libpcap.mjs',
  ])
    t.true(paths.includes(path), path)
})

test('nothing runs when it is installed, and npm finds nothing to build', t => {
  const runs = ['preinstall', 'install', 'postinstall', 'prepublish', 'preprepare', 'prepare', 'postprepare']
  t.deepEqual(
    runs.filter(name => name in manifest.scripts),
    [],
  )
  t.false(paths.includes('binding.gyp'))
})

test('every module has a source: nothing is published of what was removed', t => {
  const stale = paths.filter(
    path => /\.c?js$/.test(path) && !existsSync(join(root, path.replace(/^dist\//, '').replace(/js$/, 'ts'))),
  )
  t.deepEqual(stale, [])
})

test('every map has its sources in it', t => {
  const maps = paths.filter(path => path.endsWith('.map'))
  t.true(maps.length > 50)
  const without = maps.filter(path => {
    const { sources, sourcesContent } = JSON.parse(readFileSync(join(root, path), 'utf8'))
    return !(sourcesContent?.length === sources.length && sourcesContent.every(Boolean))
  })
  t.deepEqual(without, [])
})

test('every entry has both conditions, and a place for resolvers that know no exports', t => {
  t.true(entries.length >= 7)
  const { '*': old } = manifest.typesVersions
  for (const [entry, value] of Object.entries(manifest.exports)) {
    if (entry.endsWith('.json')) continue
    const base = entry === '.' ? './dist/src/index' : `./dist/src/${entry.slice(2)}/index`
    t.deepEqual(value, {
      import: { types: `${base}.d.ts`, default: `${base}.js` },
      require: { types: `${base}.d.cts`, default: `${base}.cjs` },
    })
    if (entry !== '.') t.deepEqual(old[entry.slice(2)], [`${base}.d.cts`], entry)
  }
})

test('publint has no complaint', t => {
  t.is(judge('publint', 'run', packed.tarball, '--strict'), '')
})

test('arethetypeswrong has no complaint, in any of its modes', t => {
  t.is(judge('attw', packed.tarball, '--format', 'ascii', '--no-color'), '')
})

for (const [n, path] of binaries.entries()) {
  test(`${path} takes every glibc from ${GLIBC_BASELINE} on, and nothing else of the system`, t => {
    const { machine, needs, versions, fromNode, exports, isStripped } = inspect(join(root, path))
    t.regex(machine, [/X86-64/, /AArch64/][n])
    t.true(isStripped)
    t.deepEqual(
      needs.filter(name => !/^(libc|libm|libgcc_s|ld-linux-[\w-]+)\.so\.\d$/.test(name)),
      [],
    )
    const newer = versions.filter(version => {
      const [library, number] = version.split('_')
      if (library === 'GCC') return false
      return library !== 'GLIBC' || number.localeCompare(GLIBC_BASELINE, 'en', { numeric: true }) > 0
    })
    t.deepEqual(newer, [])
    t.deepEqual(
      fromNode.filter(name => !/^(napi_|node_api_|uv_)/.test(name)),
      [],
    )
    t.true(exports.includes('napi_register_module_v1'))
  })

  test(`${path} has libpcap in it, for itself alone, and says of which sources it is`, t => {
    const { exports, imports } = inspect(join(root, path))
    const ofLibpcap = [...exports, ...imports].filter(name => /^(pcap|bpf)_/.test(name))
    t.deepEqual(ofLibpcap, [], 'another libpcap in the process neither sees it nor takes its place')
    const bytes = readFileSync(join(root, path))
    t.true(bytes.includes('syntax error in filter expression'))
    t.false(bytes.includes('dbus'), 'nothing of how it captures')
    t.regex(bytes.toString('latin1', bytes.length - 128), /\nrx-vhost sources [0-9a-f]{64}\n$/)
  })
}

test('the tarball stays small', t => {
  t.log(
    `${(packed.size / 2 ** 20).toFixed(2)} MiB packed, ${(packed.unpackedSize / 2 ** 20).toFixed(2)} unpacked`,
  )
  for (const { path, size } of packed.files) if (path.endsWith('.node')) t.log(`${path}: ${size >> 10} KiB`)
  // A binary that was not stripped has ten times its size.
  t.true(packed.size <= 2 * 2 ** 20)
})
