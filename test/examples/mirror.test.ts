// What `npm start` runs: three embedded guests, every byte of every frame checked, a summary and an exit status.
import test from 'ava'
import { Child } from './child.js'

test('the demonstration ends by itself after the frames asked for, with nothing lost and no lease left', async t => {
  const child = new Child('mirror', ['--frames', '20000'])
  t.is(await child.ended(), 0)
  t.regex(child.lines.join('\n'), /received 20000, forwarded 20000, mirrored 20000 in/)
  t.regex(
    child.lines.join('\n'),
    /dropped by reason: none\nlost 0, reordered 0, corrupted 0, leases left 0\n/,
  )
})

test('Ctrl-C ends it with its summary', async t => {
  const child = new Child('mirror', ['--seconds', '600'])
  await child.line(/^1 s: forwarded [1-9]/)
  child.process.kill('SIGINT')
  t.is(await child.ended(), 0)
  t.regex(child.lines.join('\n'), /lost 0, reordered 0, corrupted 0, leases left 0\n/)
})

test('a wrong number of sockets is answered with the usage', async t => {
  const child = new Child('mirror', ['one.sock'])
  t.is(await child.ended(), 2)
  t.regex(child.lines[0], /^usage: mirror/)
})
