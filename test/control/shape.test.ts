// Size, fds and id of a request, checked for all in one place; and the end of a session.
import test from 'ava'
import { requests } from '../../src/control/requests.js'
import { byNumber, fresh, refused, running } from './refused.js'

const exactSizes = requests.filter(request => request.name !== 'SET_MEM_TABLE')
for (const { id, name, size, fds } of exactSizes) {
  for (const wrong of [0, size[0] - 1, size[1] + 1, 4096].filter(
    bytes => bytes >= 0 && (bytes < size[0] || bytes > size[1]),
  ))
    refused(
      `A4, A5: ${name} of ${wrong} bytes`,
      fresh,
      (f, o) => f.send(id, new Uint8Array(wrong), { fds: f.fds(1), ...o }),
      'msg_size',
    )
  for (const count of [0, 1, 2, 8].filter(n => n < fds[0] || n > fds[1]))
    refused(
      `A9, A10: ${name} with ${count} fds`,
      running,
      (f, o) => f.send(id, new Uint8Array(size[0]), { fds: f.fds(count), ...o }),
      'msg_fds',
    )
}

for (const id of [0, 22, 23, 26, 28, 31, 35, 41, 42, 44, 0x7fffffff, 0xffffffff])
  test(`A7, Q3: request ${id} is not known`, t => {
    const f = running()
    const before = f.state
    f.send(id, new Uint8Array(16), { fds: f.fds(2), needReply: true })
    t.is(f.answer, 1n)
    f.send(id, new Uint8Array(16), { fds: f.fds(1) })
    t.deepEqual(f.replies, [])
    t.is(f.closedWith, undefined)
    t.deepEqual(f.events, [{ type: 'refused', request: `request ${id}`, reason: 'msg_unknown' }])
    t.deepEqual(f.state, before)
    t.deepEqual(f.disposed.toSorted(byNumber), f.given)
  })

test('a hang-up ends everything once, and later messages only have their fds closed', t => {
  const f = running()
  f.input({ kind: 'hang-up', reason: 'msg_eof' })
  t.deepEqual(f.eventTypes, ['ring-stopped 0', 'ring-stopped 1', 'stopped'])
  t.is(f.closedWith, 'msg_eof')
  f.input({ kind: 'hang-up', reason: 'hang_up' })
  t.deepEqual(f.effects, [])
  f.kick(0)
  t.deepEqual(
    f.effects.map(e => e.kind),
    ['close-fds'],
  )
  t.deepEqual(f.disposed.toSorted(byNumber), f.given)
})
