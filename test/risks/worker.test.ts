// Risk: a worker thread with live devices ends (N8 of the catalogue of hostile inputs): terminated in any state, by its own process.exit, or
// by an uncaught error. Its devices, sockets, mappings and watches are gone with it; the main thread's go on.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { fixture } from './support/child.js'
import type { Counts } from './support/counts.js'
import { folder } from './support/scene.js'

test.beforeEach(t => t.timeout(180_000))

const ways: Record<string, string> = {
  idle: 'terminated while idle',
  'mid-burst': 'terminated in the middle of a burst',
  loop: 'terminated in an endless loop in a packet callback',
  held: 'terminated with held leases',
  connecting: 'terminated while front ends connect',
  exit: 'that calls process.exit in a packet callback',
  throw: 'whose subscriber throws',
}

for (const [how, name] of Object.entries(ways))
  test(`a worker ${name} leaves nothing, and the main thread goes on`, async t => {
    const child = fixture(t, 'worker-host', [folder(t), how])
    t.deepEqual(await child.ended, { code: 0, signal: null }, child.errors)
    const parse = <T>(word: string) =>
      child.lines.filter(line => line.startsWith(word)).map(line => JSON.parse(line.slice(word.length)) as T)
    const ended = parse<{ files: number; devices: number }>('ended ')
    t.is(ended.length, 4)
    for (const now of ended) t.deepEqual(now, { files: 0, devices: 2 })
    const [first, ...others] = parse<Counts>('left ')
    t.like(first, { devices: 2, leases: 0 })
    for (const other of others) t.deepEqual(other, first)
    t.deepEqual(parse('main '), [{ lost: 0, reordered: 0, corrupted: 0, received: 8000 }])
  })

test('a signal takes the sockets of workers along', async t => {
  const home = folder(t)
  const child = fixture(t, 'worker-host', [home, 'signal'])
  t.deepEqual(await child.ended, { code: null, signal: 'SIGTERM' }, child.errors)
  for (const name of ['a', 'b', 'from', 'to']) t.false(existsSync(join(home, `${name}.sock`)), name)
})

test('a process in which only workers load the addon survives their ends', async t => {
  const child = fixture(t, 'worker-alone', [folder(t)])
  t.deepEqual(await child.ended, { code: 0, signal: null }, child.errors)
  t.deepEqual(child.lines, ['forwarded 1000', 'forwarded 1000', 'forwarded 1000', 'done'])
})
