// Everything that the package exports has a comment that says what it is; operators have a marble, and whatever throws
// says so. `npm run docs` makes pages of them.
import test from 'ava'
import { publicApi } from '../support/public-api.js'

const api = publicApi()
const names = (wanted: typeof api): string[] => [...new Set(wanted.map(({ name }) => name))]

test('every public symbol, and every member of one, has a comment', t => {
  t.true(api.length > 300)
  t.deepEqual(names(api.filter(({ comment }) => comment === '')), [])
})

test('every operator has a marble', t => {
  const operators = api.filter(
    ({ entry, symbol, isFunction }) => isFunction && (entry === 'rx-vhost/operators' || symbol === 'capture'),
  )
  t.true(operators.length > 12)
  // `source:   --(1 2)--|` and below it what comes of it.
  const marble = /```\s*source[\w ]*:\s+[-(|][\s\S]*?\n\s*[\w ]+:\s+[-(|][\s\S]*?```/
  t.deepEqual(names(operators.filter(({ comment }) => !marble.test(comment))), [])
})

test('what throws says so', t => {
  const silent = api.filter(
    ({ throws, comment, tags }) =>
      throws && !/throws?\b|reject|Error|ERR_VHOST_/.test([comment, ...tags].join(' ')),
  )
  t.deepEqual(names(silent), [])
})

test('a @param names a parameter', t => {
  const wrong = api.filter(({ tags, parameters }) =>
    tags
      .filter(tag => tag.startsWith('param '))
      .some(tag => !parameters.some(name => name === tag.split(/\s+/)[1] || name.startsWith('{'))),
  )
  t.deepEqual(names(wrong), [])
})
