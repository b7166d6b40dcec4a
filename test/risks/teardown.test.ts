// Risk: what a pipeline used outlives it. After the last unsubscribe() no fd, mapping, thread, lease or socket file is
// left, however it ended, and nothing keeps the process: it ends by itself. Counted in a process of its own, between
// one cycle and the next, since the first one loads and warms what stays.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { fixture } from './support/child.js'
import type { Counts } from './support/counts.js'
import { folder } from './support/scene.js'

test.beforeEach(t => t.timeout(120_000))

const ways: Record<string, string> = {
  unsubscribe: 'unsubscribing mid-traffic',
  'in-packet': 'unsubscribing inside a packet callback, mid-burst',
  holding: 'unsubscribing with all leases held by retain()',
  throw: 'a subscriber that throws at each burst, in a process that goes on',
}

for (const [how, name] of Object.entries(ways))
  test(`${name} leaves nothing, and the process ends by itself`, async t => {
    const child = fixture(t, 'cycles', [folder(t), how])
    t.deepEqual(await child.ended, { code: 0, signal: null }, child.errors)
    const parse = <T>(word: string) =>
      child.lines.filter(line => line.startsWith(word)).map(line => JSON.parse(line.slice(word.length)) as T)
    const ended = parse<{ files: number; devices: number }>('ended ')
    t.is(ended.length, 5)
    for (const now of ended) t.deepEqual(now, { files: 0, devices: 0 }, 'when unsubscribe() has returned')
    const [first, ...others] = parse<Counts & { thrown: boolean }>('left ')
    t.like(first, { tokens: 0, guestMappings: 0, devices: 0, leases: 0, thrown: how === 'throw' })
    for (const other of others) t.deepEqual(other, first)
  })

test('a driver keeps the process alive, and after unref() it does not; its socket file goes either way', async t => {
  const home = folder(t)
  const kept = fixture(t, 'exits', [home, 'signal'])
  await kept.line('listening')
  const child = fixture(t, 'unref', [home])
  t.deepEqual(await child.ended, { code: 0, signal: null }, child.errors)
  t.deepEqual(child.lines, ['connected'])
  t.false(existsSync(join(home, 'v.sock')))
  t.is(kept.process.exitCode, null, 'the other one, which was there before, still runs')
  kept.kill('SIGTERM')
  await kept.ended
})
