// The documentation names every error code and every word of a refusal, and no error code that does not exist.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { refusals } from '../../src/control/refusals.js'

const read = (path: string): string => readFileSync(join(import.meta.dirname, '../../..', path), 'utf8')

test('docs/errors.md has a section for each code of src/errors.ts, and no other', t => {
  const codes = [...read('src/errors.ts').matchAll(/\| '(ERR_VHOST_\w+)'/g)].map(match => match[1])
  const sections = [...read('docs/errors.md').matchAll(/^### (ERR_VHOST_\w+)$/gm)].map(match => match[1])
  t.true(codes.length > 0)
  t.deepEqual(sections.sort(), codes.sort())
})

test('docs/errors.md explains each word with which a request is refused', t => {
  const page = read('docs/errors.md')
  t.deepEqual(
    refusals.filter(word => !page.includes(`\`${word}\``)),
    [],
  )
})
