// B2, D20: every ordered pair of requests, each in its good form, on a device that runs and on one that is new; and many
// rings, which cost what is used of them.
import test from 'ava'
import { requests } from '../../src/control/requests.js'
import type { Message, State } from '../../src/control/types.js'
import { FrontEnd } from './front-end.js'
import { byNumber, fresh } from './refused.js'

/** A message of the request that is right by its shape: zeroes, which most requests take. */
function good(f: FrontEnd, id: number): Message {
  const row = requests.find(request => request.id === id)
  const payload = new Uint8Array(row ? row.size[0] : 8)
  const fds = row ? row.fds[0] || (row.fds[1] > 0 && id >= 12 && id <= 14 ? 1 : 0) : 1
  return { request: id, flags: 9, payload, fds: f.fds(fds) }
}

const lasting = ({ pending: _, backlog: __, notSharedTold: ___, ...rest }: State) => rest

const ids = Array.from({ length: 45 }, (_, id) => id)

for (const [name, prepare] of [
  ['a new device', fresh],
  ['a device that runs', () => FrontEnd.running()],
] as const)
  test(`B2: every ordered pair of requests, on ${name}: answered once each, and a refusal changes nothing`, t => {
    for (const first of ids)
      for (const second of ids) {
        const f = prepare()
        for (const id of [first, second]) {
          const before = lasting(structuredClone(f.state))
          f.input({ kind: 'message', message: good(f, id) })
          if (f.replies.length !== 1) t.fail(`${first}, ${second}: ${f.replies.length} answers to ${id}`)
          const refused = f.events.some(event => event.type === 'refused')
          if (refused) t.deepEqual(lasting(f.state), before, `${first}, ${second}: ${id} was refused`)
          if (f.closedWith) t.fail(`${first}, ${second}: closed by ${id}`)
        }
        t.deepEqual(f.disposed.toSorted(byNumber), f.given, `${first}, ${second}: each fd went somewhere`)
      }
  })

const many = (): FrontEnd => {
  const f = new FrontEnd(undefined, { queuePairs: 128 })
  f.negotiate(0x9n)
  f.setMemory()
  return f
}

test('D20: 256 rings configured and none enabled: nothing runs, nothing is told', t => {
  const f = many()
  for (let ring = 0; ring < 256; ring++) {
    f.call(ring)
    f.enable(ring, 0)
  }
  t.is(f.state.rings.length, 256)
  t.deepEqual(f.running, [])
})

test('D20: rings are remembered as far as they were named', t => {
  const f = many()
  t.is(f.state.rings.length, 2)
  f.call(5)
  t.is(f.state.rings.length, 6)
})

test('D20, Q18: a sparse choice of pairs runs, and only the first two decide that the device is ready', t => {
  const f = many()
  for (const ring of [0, 1, 5, 200]) {
    // Addresses of their own within the region, whatever the ring's number.
    f.num(ring, 64)
    f.addr(ring, {
      descriptors: 0x7f00_0000_0000n + BigInt((ring % 16) * 0x8000),
      available: 0x7f00_0000_4000n + BigInt((ring % 16) * 0x8000),
      used: 0x7f00_0000_6000n + BigInt((ring % 16) * 0x8000),
    })
    f.kick(ring)
  }
  f.enable(200, 1)
  f.enable(5, 1)
  t.deepEqual(f.running, [5, 200])
  t.false(f.state.ready)
  f.enable(0, 1)
  f.enable(1, 1)
  t.is(f.eventTypes.at(-1), 'ready')
  f.getBase(200)
  t.deepEqual(f.running, [0, 1, 5])
})

test('Q18: a guest that acknowledges no MQ uses two rings of those that were set up, and is ready', t => {
  const f = many()
  for (let ring = 0; ring < 8; ring++) {
    f.call(ring)
    f.err(ring)
  }
  for (const ring of [0, 1]) {
    f.setUpRing(ring)
    f.enable(ring, 1)
  }
  for (let ring = 2; ring < 8; ring++) f.enable(ring, 0)
  t.true(f.state.ready)
  t.deepEqual(f.running, [0, 1])
})

test('Q41: GET_QUEUE_NUM says 128, and one where a driver offers no more', t => {
  const f = many()
  f.send(17)
  t.is(f.answer, 128n)
})
