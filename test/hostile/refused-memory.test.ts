// Group C: memory that the system can't map just now, whoever's fault that is. A preloaded mmap() fails by the reasons of
// mmap(2), for which a process would have to be brought to its limits.
import test from 'ava'
import { Child } from '../risks/support/child.js'
import { compiled } from './support/programs.js'

const refuse = compiled('refuse', '-shared', '-fPIC')
/** Four errnos, and for each a table with its first, second or third region, a region, and a log. */
const REFUSALS = 4 * 5

test('C15: mmap fails for any reason: all or nothing, and the table before stays in force', async t => {
  t.timeout(120_000)
  const preload = [process.env.LD_PRELOAD, refuse].filter(Boolean).join(':')
  const child = new Child(t, 'test/hostile/fixtures/refused-memory.js', [], { env: { LD_PRELOAD: preload } })
  t.is(await child.line('done'), String(REFUSALS))
  t.deepEqual(await child.ended, { code: 0, signal: null }, child.errors)
})
