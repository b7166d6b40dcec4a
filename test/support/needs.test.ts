// Skips are told: each is written down with its remedy, and there is no other way to skip a test.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { type Declare, needing } from './needs.js'

const root = fileURLToPath(new URL('../../../', import.meta.url))

function declared(missing: string | undefined, skipped: string | undefined): [ran: string[], left: string[]] {
  const before = process.env.RX_VHOST_SKIPPED
  if (skipped) process.env.RX_VHOST_SKIPPED = skipped
  const ran: string[] = []
  const left: string[] = []
  const ways: { run: Declare; skip: Declare } = {
    run: title => void ran.push(title),
    skip: title => void left.push(title),
  }
  const declare = needing({ of: 'things (a thing)', missing: () => missing }, ways)
  declare('one', () => {})
  declare('two', () => {})
  if (before === undefined) delete process.env.RX_VHOST_SKIPPED
  else process.env.RX_VHOST_SKIPPED = before
  return [ran, left]
}

/** Has scripts/skips.mjs run `tests`, an expression, over `folder`. */
function reported(tests: string, env: NodeJS.ProcessEnv = {}): { status: number | null; lines: string[] } {
  const script = `
    import { appendFileSync } from 'node:fs'
    import { withSkips } from ${JSON.stringify(join(root, 'scripts/skips.mjs'))}
    process.exit(withSkips(line => console.log(line), ({ RX_VHOST_SKIPPED: file }) => ${tests}))`
  const { RX_VHOST_NO_SKIPS: _, ...rest } = process.env
  const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...rest, ...env },
    encoding: 'utf8',
  })
  return { status, lines: stdout.split('\n').filter(Boolean) }
}

test.serial('a test whose need is met runs; one whose need is not is skipped, and written down', t => {
  const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-needs-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'skipped')
  t.deepEqual(declared(undefined, file), [['one', 'two'], []])
  t.throws(() => readFileSync(file))
  t.deepEqual(declared('apt-get install thing', file), [[], ['one', 'two']])
  const lines = readFileSync(file, 'utf8').trim().split('\n')
  t.deepEqual(
    lines.map(line => JSON.parse(line)),
    ['one', 'two'].map(title => ({ of: 'things (a thing)', remedy: 'apt-get install thing', test: title })),
  )
})

test('skips are told in one line a remedy, and fail a run that may have none', t => {
  const skip = (of: string): string => JSON.stringify({ of, remedy: 'apt-get install thing', test: 'one' })
  const two = `(appendFileSync(file, ${JSON.stringify(`${skip('a')}\n${skip('b')}\n${skip('a')}\n`)}), 0)`
  const lines = [
    'skipped: 2 tests of a: apt-get install thing',
    'skipped: 1 test of b: apt-get install thing',
  ]
  t.deepEqual(reported(two), { status: 0, lines })
  const strict = reported(two, { RX_VHOST_NO_SKIPS: '1' })
  t.is(strict.status, 1)
  t.deepEqual(strict.lines.slice(0, 2), lines)
  t.deepEqual(reported('0', { RX_VHOST_NO_SKIPS: '1' }), { status: 0, lines: [] })
  t.deepEqual(reported('3'), { status: 3, lines: [] })
})

test('no test is skipped in another way', t => {
  const files = readdirSync(join(root, 'test'), { recursive: true })
    .map(String)
    .filter(file => file.endsWith('.ts') && file !== 'support/needs.ts' && file !== 'support/needs.test.ts')
  t.true(files.length > 150)
  const skipping = files.filter(file =>
    /\.(skip|todo|failing)\b/.test(readFileSync(join(root, 'test', file), 'utf8')),
  )
  t.deepEqual(skipping, [])
})
