// The example with a firewall: its demonstration, and its counters after Ctrl-C.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { GuestPort } from '../../src/guest/index.js'
import { tcp } from '../../src/testing/index.js'
import { Child } from './child.js'

test('what is asked for from inside comes back, and from outside only what is allowed', async t => {
  const child = new Child('firewall', [])
  t.is(await child.ended(), 0)
  t.deepEqual(child.lines, [
    'from outside: an answer that nobody asked for: dropped',
    'from inside: a question: passes',
    'from outside: its answer: passes',
    'from outside: a port that is closed: dropped',
    'from outside: a segment out of turn: dropped',
    'from outside: a port that is open: passes',
    'from inside: its answer: passes',
    'from outside: established: passes',
    'from inside: data: passes',
    'accepted 6, of connections 4, dropped {"firewall-policy":2,"firewall-invalid":1}',
    'arp: 0 packets, 0 bytes',
    'neighbours: 0 packets, 0 bytes',
    'outgoing: 1 packets, 60 bytes',
    'services: 1 packets, 60 bytes',
    'ping: 0 packets, 0 bytes',
    'connections: 2, established 2',
  ])
})

test('--allow says which ports, for front ends of their own; Ctrl-C ends it with its counters', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-example-'))
  const paths = ['in', 'out'].map(name => join(folder, `${name}.sock`))
  const child = new Child('firewall', ['--allow', '22,443', ...paths])
  await child.line(/^listening .*out\.sock$/)
  await child.line(/^listening .*in\.sock$/)
  const [inside, outside] = paths.map(path => new GuestPort(path))
  t.teardown(() => {
    for (const guest of [inside, outside]) guest.close()
    rmSync(folder, { recursive: true, force: true })
  })
  await Promise.all([inside.connect(), outside.connect()])
  const arrived = new Promise<Uint8Array>(resolve => inside.frames.subscribe(resolve))
  const segment = (toPort: number) => tcp({ toPort, flags: 'S' })
  for (const port of [80, 443]) t.true(outside.send(segment(port)))
  t.true(segment(443).equals(await arrived))
  child.process.kill('SIGINT')
  t.is(await child.ended(), 0)
  t.true(
    child.lines.includes('accepted 1, of connections 0, dropped {"firewall-policy":1}'),
    child.lines.join('\n'),
  )
})

test('a wrong number of sockets is answered with the usage', async t => {
  const child = new Child('firewall', ['one.sock'])
  t.is(await child.ended(), 2)
  t.regex(child.lines[0], /^usage: firewall/)
})
