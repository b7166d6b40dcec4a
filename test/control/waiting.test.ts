// A session that waits for memory: what native code's threads carry out can last for as long as a front end likes (C21).
import test from 'ava'
import { isMemoryAsk } from '../../src/control/asks.js'
import { protocolMask } from '../../src/control/features.js'
import { isPending } from '../../src/control/session.js'
import { FrontEnd, otherRegion, region } from './front-end.js'

const ack = { needReply: true }
const ALL = protocolMask('REPLY_ACK', 'LOG_SHMFD', 'CONFIGURE_MEM_SLOTS')
const LOG = (otherRegion.guest + otherRegion.size) / 32768n + 8n

/** Two rings run, and from here on memory takes its time. */
function waiting(act: (f: FrontEnd) => void): FrontEnd {
  const f = FrontEnd.running(undefined, ALL)
  f.native = ask => (isMemoryAsk(ask) ? 'later' : undefined)
  act(f)
  return f
}

const requests: [string, (f: FrontEnd) => void][] = [
  ['SET_MEM_TABLE', f => f.setMemory([region, otherRegion], ack)],
  ['ADD_MEM_REG', f => f.addRegion(otherRegion, ack)],
  ['REM_MEM_REG', f => f.removeRegion(region, ack)],
  ['SET_LOG_BASE', f => f.setLogBase(LOG, 0n, ack)],
]

for (const [name, act] of requests) {
  test(`${name} waits, and what follows is served after it and in order`, t => {
    const f = waiting(act)
    t.true(isPending(f.state))
    t.deepEqual(f.replies, [], 'no answer before it is done')
    for (const go of [() => f.getBase(1), () => f.getFeatures()]) {
      go()
      t.deepEqual(f.effects, [])
    }
    f.input({ kind: 'result', value: 0 })
    t.false(isPending(f.state))
    t.deepEqual(
      f.replies.slice(1).map(({ request }) => request),
      [11, 1],
    )
  })

  test(`${name}: the end of the connection waits for nothing`, t => {
    const f = waiting(act)
    f.kick(0)
    f.input({ kind: 'ring-fault', ring: 1, reason: 'chain_loop' })
    f.input({ kind: 'hang-up', reason: 'mem_timeout' })
    t.is(f.closedWith, 'mem_timeout')
    t.deepEqual(f.running, [])
    t.deepEqual(f.disposed.toSorted(), f.given.toSorted(), 'no fd stays open')
    f.input({ kind: 'result', value: 0 })
    t.deepEqual(f.effects, [], 'and what comes of it is nothing to a session that is over')
  })
}

test('a table whose rings had to stop starts them again when it fails at last', t => {
  const f = waiting(it => it.setMemory([otherRegion], ack))
  t.deepEqual(f.running, [], 'they stop before their memory goes')
  f.native = () => undefined
  f.input({ kind: 'result', value: -5, reason: 'mem_file_size' })
  t.is(f.answer, 1n)
  t.deepEqual(f.running, [0, 1])
})

test('C7: a fault of the former memory, told while other memory was mapped, costs its ring a start', t => {
  const f = waiting(it => it.setMemory([region, otherRegion], ack))
  f.input({ kind: 'ring-fault', ring: 1, reason: 'memory_revoked' })
  f.native = ask => (ask.kind === 'look-at-memory' ? { value: 0 } : undefined)
  f.input({ kind: 'result', value: 0 })
  t.is(f.answer, 0n)
  t.deepEqual(
    f.asks.map(({ kind }) => kind),
    ['look-at-memory', 'stop-ring', 'start-ring'],
  )
  t.deepEqual(f.eventTypes, ['memory', 'ring-stopped 1', 'ring-started 1'])
  t.deepEqual(f.running, [0, 1])
})

test('C7: a fault of the memory that was put in force meanwhile is one', t => {
  const f = waiting(it => it.setMemory([region, otherRegion], ack))
  f.input({ kind: 'ring-fault', ring: 1, reason: 'memory_revoked' })
  f.native = () => undefined
  f.input({ kind: 'result', value: 0 })
  t.deepEqual(f.eventTypes, ['memory', 'fault', 'ring-stopped 0', 'ring-stopped 1'])
  t.deepEqual(f.running, [])
})

test('C7, C8, C9: a fault of memory says what is known of it', t => {
  for (const detail of [undefined, 'truncated', 'no_backing', 'hardware']) {
    const f = FrontEnd.running(ask => (ask.kind === 'look-at-memory' ? { value: 1, detail } : undefined))
    f.input({ kind: 'ring-fault', ring: 1, reason: 'memory_revoked' })
    const [fault] = f.events
    const reason = detail === 'hardware' ? 'memory_hw_error' : 'memory_revoked'
    t.like(fault, { type: 'fault', code: 'ERR_VHOST_MEMORY_REVOKED', reason })
    t.is(fault.type === 'fault' ? fault.detail : '', detail)
    t.is(fault.type === 'fault' && fault.fix !== undefined, detail === 'no_backing' || detail === 'hardware')
  }
})
