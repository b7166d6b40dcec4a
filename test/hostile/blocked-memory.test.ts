// Group C: memory whose mapping lasts for as long as a front end likes (C21: off the JavaScript thread). A preloaded gate
// stands for a file system that does not answer; if JavaScript waited for it, none of these programs would come to its end.
import { execFileSync } from 'node:child_process'
import test, { type ExecutionContext } from 'ava'
import { Child } from '../risks/support/child.js'
import { compiled } from './support/programs.js'
import { newPath } from './support/stage.js'

const gate = compiled('gate', '-shared', '-fPIC', '-pthread')

function program(t: ExecutionContext, scenario: string): Child {
  const [asked, go] = [newPath(), newPath()]
  execFileSync('mkfifo', [asked, go])
  const preload = [process.env.LD_PRELOAD, gate].filter(Boolean).join(':')
  return new Child(t, 'test/hostile/fixtures/blocked-memory.js', [scenario], {
    env: { LD_PRELOAD: preload, GATE_ASKED: asked, GATE_GO: go },
    node: ['--expose-gc'],
  })
}

const scenarios = {
  goesOn:
    'while it lasts others go on, the rings run on the memory they have, and what follows waits its turn',
  unmaps: 'what is taken away is unmapped by others too, and before the answer',
  closes: 'a front end that hangs up, or a device that is destroyed meanwhile, leaves nothing',
  lasts: 'what lasts too long costs its connection; the next is served, and no more than two threads wait',
  stalls: 'what is done when the process comes back from a stall is not late',
  replaces: 'memory that goes while other memory is being mapped costs one ring a start',
  worker: 'a worker that ends meanwhile is gone at once, and its memory when that is done',
}

for (const [scenario, title] of Object.entries(scenarios))
  test(`C21: ${title}`, async t => {
    t.timeout(120_000)
    const child = program(t, scenario)
    await child.line('done')
    t.deepEqual(await child.ended, { code: 0, signal: null }, child.errors)
  })

test('C21: a process that exits meanwhile does not wait', async t => {
  t.timeout(120_000)
  const child = program(t, 'exit')
  await child.line('waits')
  t.deepEqual(await child.ended, { code: 7, signal: null }, child.errors)
})
