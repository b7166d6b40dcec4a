// A pipeline tested in virtual time does the same between real rings; test/interop adds testpmd's.
import test from 'ava'
import { expected, throughGuests, throughMarbles } from '../support/guard.js'

test('marbles on rings in memory', t => {
  t.deepEqual(throughMarbles(t.deepEqual), expected)
})

test('embedded guests', async t => {
  t.deepEqual(await throughGuests(), expected)
})
