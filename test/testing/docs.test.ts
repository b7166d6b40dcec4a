// docs/testing.md prints the example test as it runs, and names what the kit has.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { marbles } from '../../src/testing/index.js'

const read = (path: string): string => readFileSync(join(import.meta.dirname, '../../..', path), 'utf8')
const page = read('docs/testing.md')

test('the example is printed as it runs', t => {
  const [, ...lines] = read('test/testing/example.test.ts').split('\n')
  t.true(page.includes(`\`\`\`ts\n${lines.join('\n')}\`\`\``))
})

test('each helper of marbles() has a line', t => {
  marbles(h => {
    const rxjs = ['cold', 'hot', 'flush', 'time', 'animate', 'expectSubscriptions']
    for (const name of Object.keys(h).filter(name => !rxjs.includes(name)))
      t.true(page.includes(`\`${name}`) || page.includes(`h.${name}`), name)
  })
})
