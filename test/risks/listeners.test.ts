// Risk: a host has thousands of ports, and most of them are idle. A driver that listens costs little more memory than a
// plain server of Node's, and no processor time.
import test, { type ExecutionContext } from 'ava'
import { idleOf } from '../../bench/scale/usage.js'
import { fixture } from './support/child.js'
import { folder } from './support/scene.js'

test.beforeEach(t => t.timeout(120_000))

const COUNT = 4000
const FIRST = 1000
const KIB = 1024
const WINDOW_SECONDS = 3
/**
 * V8 and Node finish what the start began for some seconds (docs/decisions.md, "Idle"): that ends by itself, whereas what
 * wakes a process that listens would do so in every window.
 */
const WINDOWS = 10

interface Cost {
  /** Bytes. */
  each: number
  /** Times that a thread was woken in the quietest window, seen from outside, so that the look wakes nobody. */
  wakes: number
}

async function costOf(t: ExecutionContext, what: 'driver' | 'server'): Promise<Cost> {
  const child = fixture(t, 'listeners', [folder(t), what, String(FIRST), String(COUNT)], {
    node: ['--expose-gc'],
  })
  const [first, all] = [await child.value<number>('memory'), Number(await child.line('memory', 1))]
  await child.line('listening')
  let wakes = Number.POSITIVE_INFINITY
  for (let n = 0; n < WINDOWS && wakes > 0; n++)
    wakes = Math.min(wakes, (await idleOf(child.process.pid!, WINDOW_SECONDS)).switches)
  child.kill('SIGKILL')
  await child.ended
  return { each: (all - first) / (COUNT - FIRST), wakes }
}

test.serial('a driver that listens costs at most 16 KiB, and nothing while it waits', async t => {
  const server = await costOf(t, 'server')
  const driver = await costOf(t, 'driver')
  const kib = (bytes: number) => (bytes / KIB).toFixed(1)
  t.log(`memory of each: driver ${kib(driver.each)} KiB, net.Server ${kib(server.each)} KiB`)
  t.log(`switches in ${WINDOW_SECONDS} idle seconds: driver ${driver.wakes}, net.Server ${server.wakes}`)
  t.true(driver.each <= 16 * KIB)
  t.is(driver.wakes, 0)
})
