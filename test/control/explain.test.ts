// explain(): each condition of a ring, and of a device, while it is missing, alone and together.
import test from 'ava'
import { explain } from '../../src/control/explain.js'
import { net } from '../../src/control/kinds/net.js'
import { FrontEnd } from './front-end.js'
import { fresh } from './refused.js'

const lines = (f: FrontEnd): string[] => explain(f.state).text.split('\n')

test('a device of which nothing is known says all that it waits for', t => {
  const { ready, missing, rings } = explain(fresh().state)
  t.false(ready)
  t.deepEqual(missing, ['features', 'memory'])
  t.deepEqual(
    rings.map(ring => ring.missing),
    [
      ['size', 'addresses', 'kick'],
      ['size', 'addresses', 'kick'],
    ],
  )
})

test('ring 1: no kick fd; not enabled', t => {
  const f = fresh()
  f.negotiate(0x8n)
  f.setMemory()
  f.setUpRing(0)
  f.enable(0, 1)
  f.num(1, 256)
  f.addr(1)
  t.deepEqual(lines(f), [
    'device: waits for its first two rings',
    'ring 0: runs',
    'ring 1: no kick fd; not enabled',
  ])
})

test('each part that is missing is named, and gone from the list once it is there', t => {
  const parts: [string, (f: FrontEnd) => void][] = [
    ['size', f => f.num(0, 256)],
    ['addresses', f => f.addr(0)],
    ['kick', f => f.kickWithoutFd(0)],
    ['enabled', f => f.enable(0, 1)],
  ]
  for (const [left] of parts) {
    const f = fresh()
    f.negotiate(0x8n)
    f.setMemory()
    for (const [name, give] of parts) if (name !== left) give(f)
    t.deepEqual(explain(f.state).rings[0], {
      ...explain(f.state).rings[0],
      running: false,
      missing: [left] as never,
    })
    parts.find(([name]) => name === left)![1](f)
    t.like(explain(f.state).rings[0], { running: true, missing: [], text: 'ring 0: runs' })
  }
})

test('what the device lacks is told once, not at each ring', t => {
  const f = fresh()
  f.negotiate(0x10008n)
  for (const ring of [0, 1]) {
    f.setUpRing(ring)
    f.enable(ring, 1)
  }
  t.deepEqual(explain(f.state).missing, ['memory', 'driver-ok'])
  t.is(lines(f)[1], 'ring 0: set up; waits for the device')
  f.setMemory()
  t.deepEqual(explain(f.state).missing, ['driver-ok'])
  f.setStatus(15)
  t.deepEqual(lines(f), ['device: ready', 'ring 0: runs', 'ring 1: runs'])
})

test('a ring that a guest’s fault has stopped says for which', t => {
  const f = FrontEnd.running()
  f.input({ kind: 'ring-fault', ring: 1, reason: 'chain_loop' })
  t.like(explain(f.state).rings[1], { running: false, missing: ['fault'], fault: 'chain_loop' })
  t.is(lines(f)[2], 'ring 1: stopped for a fault (chain_loop)')
})

test('a front end without acknowledgements is told what that means', t => {
  const f = fresh()
  f.setFeatures(net.features)
  t.regex(lines(f).at(-1)!, /without REPLY_ACK/)
})
