// Every operator through the compliance suite. An operator file without a row fails here.
import { readdirSync } from 'node:fs'
import test from 'ava'
import * as operators from '../../src/operators/index.js'
import { complianceChecks } from '../../src/testing/index.js'
import { allRows, rows } from './rows.js'

/** What operators are given. */
const notOperators = ['Firewall', 'ForwardingTable', 'topFlows']
const support = ['index.js']
const files = readdirSync(new URL('../../src/operators/', import.meta.url)).filter(
  file => file.endsWith('.js') && !support.includes(file),
)

test('every operator has a row', t => {
  t.deepEqual(Object.keys(rows).sort(), files.sort())
  t.is(Object.keys(operators).filter(name => !notOperators.includes(name)).length, files.length)
})

for (const row of allRows) {
  for (const check of complianceChecks)
    test(`${row.name}: ${check.name}`, t => t.notThrows(() => check.run(row)))
}
