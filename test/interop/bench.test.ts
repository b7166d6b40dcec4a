// The bench against librte_vhost measures what it says: rows come out of a run, and a back end that loses, alters or
// reorders packets gets none. Speed is not looked at.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { root } from './support/program.js'

interface Row {
  job: string
  void?: string
  checked: { reference: number; ours: number }
  slices: { faults: string[] }[]
}

/** Runs a bench with these arguments; the result that it saved. */
function bench<T>(t: ExecutionContext, name: string, args: string[], env: NodeJS.ProcessEnv = {}): T {
  const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-bench-test-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const result = join(folder, 'result')
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, `dist/bench/${name}/main.js`), `--name=${result}`, ...args],
    { encoding: 'utf8', env: { ...process.env, ...env } },
  )
  t.log(stdout, stderr)
  return JSON.parse(readFileSync(`${result}.json`, 'utf8')) as T
}

const short = ['--size=64', '--pairs=1', '--ms=50']

test('each job moves numbered frames through both back ends, and all of them arrive', t => {
  const { rows } = bench<{ rows: Row[] }>(t, 'throughput', [...short, '--form=calls,bursts'])
  t.deepEqual(
    [...new Set(rows.map(({ job }) => job))],
    ['sink', 'source', 'echo', 'forward', 'filter-forward', 'mirror'],
  )
  for (const row of rows) {
    t.is(row.void, undefined, row.job)
    t.true(row.checked.reference > 0 && row.checked.ours > 0, row.job)
    t.deepEqual(
      row.slices.flatMap(({ faults }) => faults),
      [],
    )
  }
})

test('the costs of 1 to 100 devices are told, with front ends in another process', t => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, 'dist/bench/scale/scale.js'), '--quick', '--only=devices'],
    { encoding: 'utf8' },
  )
  t.log(stdout, stderr)
  t.is(status, 0)
  t.regex(stdout, /^devices, each with a pipeline +100 /m)
})

for (const [fault, says] of [
  ['lose', /received at port 1/],
  ['alter', /corrupted at port 1/],
  ['swap', /reordered, corrupted at port 1/],
] as const)
  test(`a back end that would ${fault} a packet in a thousand gets no result`, t => {
    const args = [...short, '--job=forward', '--form=bursts']
    const { rows } = bench<{ rows: Row[] }>(t, 'throughput', args, { RX_VHOST_BENCH_FAULT: fault })
    t.regex(rows[0].void ?? '', says)
    t.deepEqual(rows[0].slices, [], 'and is not even timed')
  })

test('frames come back one by one from a back end that sleeps until it is kicked', t => {
  const args = ['--quick', '--poll=interrupt', '--repeats=1']
  const { rows } = bench<{ rows: { contender: string; times: { lost: number; p50: number }[] }[] }>(
    t,
    'latency',
    args,
  )
  t.true(rows.some(({ contender }) => contender === 'rx-vhost, interrupt'))
  for (const { times } of rows)
    t.true(times.length > 0 && times.every(({ lost, p50 }) => lost === 0 && p50 > 0), 'all of them came back')
})
