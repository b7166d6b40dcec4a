// Applications test their pipelines where no addon can be built: the kit and the operators work in a copy of the package
// without one, in a process of its own.
import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

test('rx-vhost/testing, /operators, /headers, /streams and capture() need no addon', async t => {
  const root = join(import.meta.dirname, '../../..')
  const copy = mkdtempSync(join(tmpdir(), 'rx-vhost-no-addon-'))
  t.teardown(() => rmSync(copy, { recursive: true, force: true }))
  cpSync(join(root, 'dist/src'), join(copy, 'dist/src'), { recursive: true })
  cpSync(join(root, 'package.json'), join(copy, 'package.json'))
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  const child = fileURLToPath(new URL('./no-addon-child.js', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [child, join(copy, 'dist')])
  t.is(stdout.trim(), 'passed without the addon')
})
