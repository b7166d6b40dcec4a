// Group A, fds that were sent and did not all arrive: a part of them is neither what the peer meant nor "no fd".
import test, { type ExecutionContext } from 'ava'
import { Child } from '../risks/support/child.js'
import { compiled } from './support/programs.js'

interface Lost {
  closed: string[]
  refused: number
  pressure: string[]
  leaked: { fds: number; tokens: number }
}

const start = (t: ExecutionContext, mode: string, env: NodeJS.ProcessEnv = {}): Child =>
  new Child(t, 'test/hostile/support/lost-fds.js', [mode], { env })

async function losses(child: Child): Promise<Lost[]> {
  await child.line('done')
  await child.ended
  return child.lines.filter(line => line.startsWith('lost ')).map(line => JSON.parse(line.slice(5)))
}

const nothingLeft = { refused: 0, leaked: { fds: 0, tokens: 0 } }

test('A6: the kernel cuts what comes with a message: msg_ctrunc, and those that came are closed', async t => {
  // A sanitizer that is preloaded wants to be the first.
  const preloaded = [process.env.LD_PRELOAD, compiled('narrow', '-shared', '-fPIC')].filter(Boolean)
  const child = start(t, 'truncated', { LD_PRELOAD: preloaded.join(' '), RX_VHOST_ROOM: '1' })
  const lost = await losses(child)
  t.is(lost.length, 4)
  for (const it of lost) t.deepEqual(it, { ...nothingLeft, closed: ['msg_ctrunc'], pressure: [] })
})

test('A13: no room for all the fds of a message: fd_exhausted, told once; then all is as before', async t => {
  const lost = await losses(start(t, 'exhausted'))
  t.is(lost.length, 7)
  for (const it of lost)
    t.deepEqual(it, { ...nothingLeft, closed: ['fd_exhausted'], pressure: ['fd_exhausted'] })
})
