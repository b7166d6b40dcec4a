// Risk: the process ends without a chance to clean up (L22, N10 of the catalogue of hostile inputs): by a signal, by process.exit, by an
// uncaught error. It must end as it would have without us, and leave no socket file; its guests see a hang-up.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { GuestPort } from '../../src/guest/index.js'
import { type Child, fixture } from './support/child.js'
import { folder } from './support/scene.js'

test.beforeEach(t => t.timeout(120_000))

interface BackEnd {
  child: Child
  home: string
  from: GuestPort
  to: GuestPort
}

/** The back end in its own process, with traffic from one guest to the other. */
async function busy(t: ExecutionContext, how: string): Promise<BackEnd> {
  const home = folder(t)
  const child = fixture(t, 'exits', [home, how])
  await child.line('listening')
  const guests = ['a', 'b'].map(name => new GuestPort(join(home, `${name}.sock`)))
  t.teardown(() => {
    for (const guest of guests) guest.close()
  })
  const [from, to] = guests
  await Promise.all(guests.map(guest => guest.connect()))
  to.check()
  from.generate().catch(() => {})
  return { child, home, from, to }
}

async function leftNothing(t: ExecutionContext, { home, from, to }: BackEnd) {
  for (const name of ['a', 'b']) t.false(existsSync(join(home, `${name}.sock`)), name)
  const reasons = await Promise.all([from.closed, to.closed])
  for (const reason of reasons) t.true(['the back end hung up', 'not connected'].includes(reason), reason)
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
  test(`${signal} mid-traffic ends the process by ${signal}, with no socket file`, async t => {
    const backEnd = await busy(t, 'signal')
    await backEnd.to.whenReceived(1000)
    backEnd.child.kill(signal)
    t.deepEqual(await backEnd.child.ended, { code: null, signal })
    await leftNothing(t, backEnd)
  })

test('SIGTERM ends a process whose subscriber is in an endless loop', async t => {
  const backEnd = await busy(t, 'loop')
  await backEnd.child.line('looping')
  backEnd.child.kill('SIGTERM')
  t.deepEqual(await backEnd.child.ended, { code: null, signal: 'SIGTERM' })
  await leftNothing(t, backEnd)
})

test('a signal that the program handles is its own: the socket stays, and another signal ends it', async t => {
  const backEnd = await busy(t, 'own-handler')
  const { child, home, to } = backEnd
  await to.whenReceived(1000)
  child.kill('SIGTERM')
  await child.line('handled')
  const { received } = to.report
  await to.whenReceived(received + 1000)
  t.true(existsSync(join(home, 'a.sock')))
  child.kill('SIGINT')
  t.deepEqual(await child.ended, { code: null, signal: 'SIGINT' })
  await leftNothing(t, backEnd)
})

test('a handler that came and went is not in the way, once something listens again', async t => {
  const backEnd = await busy(t, 'handler-removed')
  backEnd.child.kill('SIGTERM')
  t.deepEqual(await backEnd.child.ended, { code: null, signal: 'SIGTERM' })
  await leftNothing(t, backEnd)
})

test('process.exit keeps its code', async t => {
  const backEnd = await busy(t, 'exit')
  await backEnd.to.whenReceived(1000)
  backEnd.child.kill('SIGUSR2')
  t.deepEqual(await backEnd.child.ended, { code: 7, signal: null })
  await leftNothing(t, backEnd)
})

test('process.exit inside a packet callback keeps its code', async t => {
  const backEnd = await busy(t, 'exit-in-packet')
  t.deepEqual(await backEnd.child.ended, { code: 7, signal: null })
  await leftNothing(t, backEnd)
})

test('a subscriber that throws ends the process as any uncaught error does', async t => {
  const backEnd = await busy(t, 'throw')
  t.deepEqual(await backEnd.child.ended, { code: 1, signal: null })
  t.regex(backEnd.child.errors, /thrown by a subscriber/)
  await leftNothing(t, backEnd)
})
