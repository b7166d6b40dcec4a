// The example of a bad path: what became of each frame, and that a seed loses the same ones again.
import test from 'ava'
import { Child } from './child.js'

const counts = async (
  args: string[],
): Promise<{ code: number | null; numbers: number[]; lines: string[] }> => {
  const child = new Child('impair', args)
  const code = await child.ended()
  return { code, numbers: (child.lines.join(' ').match(/\d+/g) ?? []).map(Number), lines: child.lines }
}

test('every frame is accounted for; the same seed loses and changes the same', async t => {
  const first = await counts(['--seed', '3'])
  const again = await counts(['--seed', '3'])
  const [sent, lost, arrived, twice, corrupted] = first.numbers
  t.deepEqual([first.code, again.code], [0, 0])
  t.is(sent, 20_000)
  t.true(lost > 300 && lost < 500 && corrupted > 50 && corrupted < 150 && twice > 100, first.lines.join())
  t.true(arrived > sent - lost)
  t.deepEqual([again.numbers[1], again.numbers[2], again.numbers[4]], [lost, arrived, corrupted])
})

test('a path that is not bad loses nothing', async t => {
  const args = ['--loss', '0', '--duplicate', '0', '--corrupt', '0', '--jitter', '0', '--delay', '1']
  t.deepEqual((await counts(args)).lines, [
    'sent 20000, lost 0, arrived 20000',
    'of these twice 0, corrupted 0, late 0',
  ])
})

test('a wrong number of sockets is answered with the usage', async t => {
  const { code, lines } = await counts(['one.sock'])
  t.is(code, 2)
  t.regex(lines[0], /^usage: impair/)
})
