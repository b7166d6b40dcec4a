// docs/headers.md prints the example as it runs, and names each header that a reader has.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { names } from './support/fields.js'

const read = (path: string): string => readFileSync(join(import.meta.dirname, '../../..', path), 'utf8')
const page = read('docs/headers.md')

test('the example is printed as it runs', t => {
  const [, ...lines] = read('test/headers/example.test.ts').split('\n')
  t.true(page.includes(`\`\`\`ts\n${lines.join('\n')}\`\`\``))
})

test('each header has its line', t => {
  for (const name of [...names, 'inner']) t.regex(page, new RegExp(`^\\|.*\`${name}\`.*\\|$`, 'm'), name)
})
