// The example that measures flows: its demonstration, and that it follows real front ends.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { GuestPort } from '../../src/guest/index.js'
import { udp } from '../../src/testing/index.js'
import { Child } from './child.js'

const line = (port: number, packets: number, bytes: number): string =>
  `${`udp 10.0.0.1:${port} > 10.0.0.2:9`.padEnd(50)} ${String(packets).padStart(10)} packets ${String(bytes).padStart(12)} bytes`

test('the demonstration prints each flow with its packets and bytes', async t => {
  const child = new Child('flow-stats', [])
  t.is(await child.ended(), 0)
  t.deepEqual(
    child.lines.sort(),
    Array.from({ length: 10 }, (_, i) => line(1000 + i, 100, 6000)),
  )
})

test('for front ends of their own, the largest so many', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-example-'))
  const paths = ['a', 'b'].map(name => join(folder, `${name}.sock`))
  const child = new Child('flow-stats', ['--top', '1', '--seconds', '0.02', ...paths])
  for (const name of ['a', 'b']) await child.line(new RegExp(`^listening .*${name}\\.sock$`))
  const [a, b] = paths.map(path => new GuestPort(path))
  t.teardown(() => {
    for (const guest of [a, b]) guest.close()
    rmSync(folder, { recursive: true, force: true })
  })
  await Promise.all([a.connect(), b.connect()])
  a.sendBurst([udp({ fromPort: 1 }), udp({ fromPort: 2, payload: 'x'.repeat(100) })])
  t.is(await child.line(/ > 10\.0\.0\.2/), line(2, 1, 142))
  child.process.kill('SIGINT')
  t.is(await child.ended(), 0)
  t.false(child.lines.some(text => text.startsWith('udp 10.0.0.1:1 ')))
})

test('a wrong number of sockets is answered with the usage', async t => {
  const child = new Child('flow-stats', ['one.sock'])
  t.is(await child.ended(), 2)
  t.regex(child.lines[0], /^usage: flow-stats/)
})
