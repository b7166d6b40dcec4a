// The example that limits a rate: shaped nothing is lost, policed all that is missing is counted.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { Child } from './child.js'

const counts = /^sent (\d+), received (\d+), dropped (\d+), reordered 0$/

test('shape: everything arrives, in order', async t => {
  const child = new Child('rate-limit', [])
  t.is(await child.ended(), 0)
  const [, sent, received] = child.lines[0].match(counts) as string[]
  t.is(received, sent)
  t.true(Number(sent) > 0)
  t.regex(child.lines[1], /^\d+ packets a second$/)
})

test('police: what does not arrive is counted', async t => {
  const child = new Child('rate-limit', ['--mode', 'police', '--packets', '100'])
  t.is(await child.ended(), 0)
  const [sent, received, dropped] = (child.lines[0].match(counts) as string[]).slice(1).map(Number)
  t.is(received + dropped, sent)
  t.true(dropped > 0)
})

test('Ctrl-C ends it with what was counted', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-example-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const paths = ['a.sock', 'b.sock'].map(name => join(folder, name))
  const child = new Child('rate-limit', ['--bits', '100e6', ...paths])
  await child.line(/^listening .*b\.sock$/)
  child.process.kill('SIGINT')
  t.is(await child.ended(), 0)
  t.deepEqual(JSON.parse(child.lines.at(-1) as string).limited, [{}, {}])
})

test('what is no mode, and a wrong number of sockets, are answered with the usage', async t => {
  for (const args of [['--mode', 'drop'], ['one.sock']]) {
    const child = new Child('rate-limit', args)
    t.is(await child.ended(), 2)
    t.regex(child.lines[0], /^usage: rate-limit/)
  }
})
