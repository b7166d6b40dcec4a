// Which addon is taken, and what an error says where none can be.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { addonFix, findAddon, GLIBC_BASELINE, type System } from '../../src/addon/path.js'

function packageWith(t: ExecutionContext, ...paths: string[]): string {
  const root = mkdtempSync(join(tmpdir(), 'rx-vhost-addon-'))
  t.teardown(() => rmSync(root, { recursive: true }))
  for (const path of paths) {
    mkdirSync(join(root, dirname(path)), { recursive: true })
    writeFileSync(join(root, path), '')
  }
  return root
}

const [x64, arm64, own] = [
  'prebuilds/linux-x64/rx_vhost.node',
  'prebuilds/linux-arm64/rx_vhost.node',
  'native/build/Release/rx_vhost.node',
]

test('the binary is the one for this processor', t => {
  const root = packageWith(t, x64, arm64)
  t.is(findAddon(root, 'linux', 'x64'), join(root, x64))
  t.is(findAddon(root, 'linux', 'arm64'), join(root, arm64))
})

test('one that was built in place goes before it', t => {
  const root = packageWith(t, x64, own)
  t.is(findAddon(root, 'linux', 'x64'), join(root, own))
  t.is(findAddon(root, 'linux', 'riscv64'), join(root, own))
})

test('there is none for other processors and systems', t => {
  const root = packageWith(t, x64)
  t.is(findAddon(root, 'linux', 'riscv64'), undefined)
  t.is(findAddon(root, 'darwin', 'x64'), undefined)
})

const fixOn = (system: Partial<System>): string =>
  addonFix({ platform: 'linux', arch: 'x64', glibc: '2.36', isRepository: false, ...system })

test('the fix says what this system lacks, and how to build', t => {
  t.regex(fixOn({ glibc: undefined }), /musl.*node-gyp rebuild/)
  t.regex(fixOn({ glibc: '2.31' }), new RegExp(`glibc ${GLIBC_BASELINE}.*has 2\\.31.*node-gyp rebuild`))
  t.regex(fixOn({ glibc: '2.4' }), /has 2\.4/)
  t.notRegex(fixOn({ glibc: GLIBC_BASELINE }), /binaries need glibc/)
  t.regex(fixOn({ arch: 'riscv64' }), /this is riscv64.*node-gyp rebuild/)
  t.regex(fixOn({ platform: 'darwin' }), /Linux.*rx-vhost\/testing/)
  t.regex(fixOn({ isRepository: true, glibc: undefined }), /npm run build/)
})
