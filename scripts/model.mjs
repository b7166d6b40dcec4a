// `npm run model`: Spin explores every state of the model of a ring's two notifications (test/model/notification.pml).
// In the correct model, no wake-up may be lost. Then each part of the model is broken in turn, and Spin must find a
// lost wake-up, to show that the model can fail. Each run prints a line of TAP.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const model = join(dirname(fileURLToPath(import.meta.url)), '..', 'test', 'model', 'notification.pml')
const work = mkdtempSync(join(tmpdir(), 'rx-vhost-model-'))
process.once('exit', () => rmSync(work, { recursive: true, force: true }))

/** The depth of the search: longer than any path without a repeated state. A search that reaches it is not complete. */
const DEPTH = 2_000_000

function run(command, args, debianPackage) {
  const { stdout, status, error } = spawnSync(command, args, { cwd: work, encoding: 'utf8' })
  if (error?.code === 'ENOENT') {
    console.error(`rx-vhost: ${command} is needed to check the model: apt-get install ${debianPackage}`)
    process.exit(1)
  }
  if (status !== 0) {
    console.error(`rx-vhost: ${command} ended with ${error?.message ?? status}\n${stdout}`)
    process.exit(1)
  }
  return stdout
}

/** The result of a search. `lost`: it found a state in which both sides sleep. `complete`: it has seen every state. */
function search(defines) {
  run('spin', ['-a', ...defines.map(define => `-D${define}`), model], 'spin')
  run('gcc', ['-O2', '-w', '-DSAFETY', '-DCOLLAPSE', '-o', 'pan', 'pan.c'], 'build-essential')
  const said = run(join(work, 'pan'), [`-m${DEPTH}`], '')
  const number = pattern => Number(pattern.exec(said)?.[1] ?? Number.NaN)
  const errors = number(/errors: (\d+)/)
  return {
    said,
    states: number(/(\d+) states, stored/),
    lost: errors > 0 && said.includes('invalid end state (at depth'),
    complete: errors === 0 && !said.includes('max search depth too small'),
  }
}

let failed = 0
function report(ok, what, { states, said }) {
  console.log(`${ok ? 'ok' : 'not ok'}: model: ${what} (${states} states)`)
  if (ok) return
  failed++
  console.log(said.replace(/^/gm, '# '))
}

/** The parts that can be broken, as the model lists them: a name, and the place in the code. */
const breaks = [
  ...readFileSync(model, 'utf8').matchAll(/^#define ((?:DRIVER|DEVICE)_\w+) +\d+ +\/\* (.*) \*\/$/gm),
].map(([, name, where]) => ({ name, where }))

for (const [protocol, defines] of [
  ['event index', ['EVENT_INDEX']],
  ['flags', []],
]) {
  const right = search(defines)
  report(right.complete, `${protocol}: no wake-up is lost`, right)
  for (const { name, where } of breaks) {
    if (protocol === 'flags' && where.includes('event index only')) continue
    const broken = search([...defines, `BREAK=${name}`])
    report(broken.lost, `${protocol}: broken in ${where}, one is lost`, broken)
  }
}
if (breaks.length === 0) throw new Error('the model lists nothing to break')
process.exitCode = failed === 0 ? 0 : 1
