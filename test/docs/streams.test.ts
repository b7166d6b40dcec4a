// docs/streams.md: its examples run as printed, from a guest that sends until its device goes, and until they are aborted.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { FakeDevice, fakePlane, frames, numberOf } from '../../src/testing/index.js'
import { snippets } from '../support/stream-snippets.js'
import { turn } from '../transport/sockets.js'

const root = join(import.meta.dirname, '../../..')
const page = readFileSync(join(root, 'docs/streams.md'), 'utf8')

test('the page has each example as it is run here', t => {
  const source = readFileSync(join(root, 'test/support/stream-snippets.ts'), 'utf8')
  const printed = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(match => match[1].trim())
  const run = [...source.matchAll(/\/\/ begin\n(.*?),?\n\s*\/\/ end/gs)].map(match =>
    match[1]
      .split('\n')
      .map(line => line.replace(/^ {4}/, ''))
      .join('\n')
      .trim(),
  )
  t.deepEqual(run.sort(), printed.sort())
  t.is(run.length, Object.keys(snippets).length)
})

for (const [name, run] of Object.entries(snippets))
  for (const end of ['the device goes', 'abort'] as const)
    test(`${name}: ${end}`, async t => {
      const plane = fakePlane()
      const [vm, other] = [new FakeDevice(plane), new FakeDevice(plane, { room: 256 })]
      const stop = new AbortController()
      const saved: Buffer[] = []
      const save = async (copies: Buffer[]): Promise<void> => {
        await turn()
        saved.push(...copies)
      }
      let over = false
      const running = run(vm, other, stop.signal, save).finally(() => {
        over = true
      })
      running.catch(() => {})
      const pass = async (): Promise<void> => {
        plane.loop.drain()
        await turn()
      }
      vm.ports.fromGuest.send(...frames(200))
      const got = (): Buffer[] => (name === 'a loop' ? saved : other.ports.toGuest.received)
      while (got().length < 200) await pass()
      if (end === 'abort') stop.abort()
      else vm.close()
      while (!over) await pass()
      if (end === 'abort' && name !== 'an operator')
        await t.throwsAsync(running, { any: true, name: 'AbortError' })
      else await running
      t.deepEqual(
        got().map(numberOf),
        Array.from({ length: 200 }, (_, n) => n),
      )
      t.is(plane.pool.leases, 0)
    })
