// Risk: a host has thousands of ports, and most of them are idle. A driver that listens costs little more memory than a
// plain server of Node's, and no processor time.
import test from 'ava'
import { fixture } from './support/child.js'
import { folder } from './support/scene.js'

test.beforeEach(t => t.timeout(120_000))

const COUNT = 4000
const KIB = 1024

async function slope(
  t: Parameters<typeof fixture>[0],
  what: string,
): Promise<{ each: number; switches: number }> {
  const child = fixture(t, 'listeners', [folder(t), what, String(COUNT)], { node: ['--expose-gc'] })
  await child.ended
  const [first, all] = child.lines
    .filter(line => line.startsWith('memory '))
    .map(line => Number(line.slice(7)))
  t.truthy(all, child.errors)
  return { each: (all - first) / (COUNT - 1000), switches: Number(await child.line('switches')) }
}

test.serial('a driver that listens costs at most 16 KiB, and nothing while it waits', async t => {
  const server = await slope(t, 'server')
  const driver = await slope(t, 'driver')
  const kib = (bytes: number) => (bytes / KIB).toFixed(1)
  t.log(`memory of each: driver ${kib(driver.each)} KiB, net.Server ${kib(server.each)} KiB`)
  t.log(`switches in an idle second: driver ${driver.switches}, net.Server ${server.switches}`)
  t.true(driver.each <= 16 * KIB)
  t.true(driver.switches <= server.switches + 3)
})
