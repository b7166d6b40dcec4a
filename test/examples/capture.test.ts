// The example that captures: its demonstration, and that a file is whole after Ctrl-C.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { blocksOf, interfacesOf } from '../capture/blocks.js'
import { Child } from './child.js'

test('two guests talk, are captured, and the capture is replayed to a third', async t => {
  const child = new Child('capture', [])
  t.is(await child.ended(), 0)
  t.deepEqual(child.lines, ['captured 40000, dropped {}', 'replayed 40000, corrupted 0'])
})

test('Ctrl-C ends it with a whole file', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-example-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const [file, a, b] = ['x.pcapng', 'a.sock', 'b.sock'].map(name => join(folder, name))
  const child = new Child('capture', ['--file', file, a, b])
  await child.line(/^opened /)
  await child.line(/^listening .*b\.sock$/)
  child.process.kill('SIGINT')
  t.is(await child.ended(), 0)
  t.deepEqual(
    interfacesOf(readFileSync(file)).map(({ name }) => name),
    ['a', 'b'],
  )
  t.is(blocksOf(readFileSync(file)).filter(({ type }) => type === 5).length, 2)
})

test('a wrong number of sockets is answered with the usage', async t => {
  const child = new Child('capture', ['one.sock'])
  t.is(await child.ended(), 2)
  t.regex(child.lines[0], /^usage: capture/)
})
