// docs/capture.md: its example runs as printed, with two embedded guests, and leaves the file that the page promises.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import test from 'ava'
import { GuestPort } from '../../src/guest/index.js'
import { interfacesOf, packetsOf } from '../capture/blocks.js'

const root = join(import.meta.dirname, '../../..')
/** SO_ACCEPTCON: a socket file is there from bind() on, and nobody can connect before listen(). */
const LISTENS = '00010000'
const listens = (path: string): boolean =>
  readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .some(line => line.endsWith(` ${path}`) && line.split(' ')[3] === LISTENS)

test('the example of docs/capture.md runs as printed', async t => {
  const [, code] = readFileSync(join(root, 'docs/capture.md'), 'utf8').match(/^```ts\n(import .*?)^```$/ms)!
  // Beside the tests, so that it resolves the package by its name.
  const program = join(root, 'dist/test/docs-capture-example.mts')
  const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-docs-'))
  writeFileSync(program, code)
  await promisify(execFile)(process.execPath, [
    ...[join(root, 'node_modules/typescript/bin/tsc'), '--ignoreConfig', program, '--target', 'es2022'],
    ...['--module', 'nodenext', '--strict', '--skipLibCheck', '--types', 'node'],
  ])
  const child = spawn(process.execPath, [program.replace(/mts$/, 'mjs'), folder], { stdio: 'pipe' })
  t.teardown(() => {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
    for (const end of ['mts', 'mjs']) rmSync(program.replace(/mts$/, end), { force: true })
  })
  const printed: string[] = []
  createInterface(child.stdout).on('line', line => printed.push(line))
  createInterface(child.stderr).on('line', line => printed.push(line))
  const guests = ['a', 'b'].map(name => new GuestPort(join(folder, `${name}.sock`)))
  while (!guests.every((_, n) => listens(join(folder, `${'ab'[n]}.sock`)))) {
    if (child.exitCode !== null) t.fail(printed.join('\n'))
    await new Promise(setImmediate)
  }
  await Promise.all(guests.map(guest => guest.connect()))
  for (const guest of guests) guest.check()
  await guests[0].generate({ frames: 500 })
  await guests[1].whenReceived(500)
  child.kill('SIGTERM')
  await once(child, 'close')
  for (const guest of guests) guest.close()
  const path = join(folder, 'vms-00001.pcapng')
  t.deepEqual(printed, [
    `opened ${path}`,
    `closed ${path}`,
    JSON.stringify({ packets: 500, held: 0, filtered: 0, drops: {} }),
  ])
  const file = readFileSync(path)
  t.deepEqual(
    interfacesOf(file).map(({ name, snaplen }) => [name, snaplen]),
    [
      ['vm-a', 0],
      ['vm-b', 128],
    ],
  )
  t.is(packetsOf(file).length, 500)
})
