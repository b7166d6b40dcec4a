// GuestPort's messages: their order, what it waits for, and what becomes of it when a back end refuses or leaves.
import { getEventListeners } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { native } from '../../src/addon/native.js'
import { type GuestOptions, GuestPort } from '../../src/guest/index.js'
import { F_PROTOCOL_FEATURES, PROTOCOL_REPLY_ACK, PROTOCOL_STATUS, readState } from '../../src/guest/wire.js'
import { VhostDriver } from '../../src/index.js'
import { type Script, ScriptedBackEnd } from './support/scripted-back-end.js'

const VERSION_1 = 1n << 32n
const MODERN: Script = {
  features: VERSION_1 | F_PROTOCOL_FEATURES,
  protocolFeatures: PROTOCOL_REPLY_ACK | PROTOCOL_STATUS | 1n,
}

function make(t: ExecutionContext, script: Script, options: GuestOptions = {}) {
  const backEnd = new ScriptedBackEnd(script)
  const port = new GuestPort(backEnd.path, options)
  t.teardown(() => {
    port.close()
    backEnd.close()
  })
  return { backEnd, port }
}

const RING_SETUP = ['SET_VRING_NUM', 'SET_VRING_BASE', 'SET_VRING_ADDR', 'SET_VRING_KICK', 'SET_VRING_CALL']

test.serial('messages come in the order of virtio-user', async t => {
  const { backEnd, port } = make(t, MODERN, { regions: 3 })
  await port.connect()
  t.deepEqual(backEnd.names, [
    ...['SET_OWNER', 'GET_FEATURES', 'GET_PROTOCOL_FEATURES', 'SET_PROTOCOL_FEATURES'],
    ...['SET_VRING_CALL', 'SET_VRING_CALL', 'SET_FEATURES', 'SET_STATUS'],
    ...['SET_MEM_TABLE', ...RING_SETUP, ...RING_SETUP],
    ...['SET_VRING_ENABLE', 'SET_VRING_ENABLE', 'SET_STATUS', 'GET_FEATURES'],
  ])
  t.deepEqual(
    backEnd.seen.filter(({ acknowledged }) => acknowledged).map(({ name }) => name),
    ['SET_STATUS', 'SET_MEM_TABLE', 'SET_STATUS'],
  )
  t.is(backEnd.seen.find(({ name }) => name === 'SET_MEM_TABLE')?.fds, 3)
  t.is(port.agreed?.protocolFeatures, PROTOCOL_REPLY_ACK | PROTOCOL_STATUS)
})

test.serial(
  'a back end without protocol features is not asked for any, nor told to enable a ring',
  async t => {
    const { backEnd, port } = make(t, { features: VERSION_1 })
    await port.connect()
    for (const name of ['GET_PROTOCOL_FEATURES', 'SET_VRING_ENABLE', 'SET_STATUS'])
      t.false(backEnd.names.includes(name), name)
    t.false(backEnd.seen.some(({ acknowledged }) => acknowledged))
  },
)

test.serial('stop disables both rings and asks where they stopped; start goes on there', async t => {
  const { backEnd, port } = make(t, MODERN)
  await port.connect()
  backEnd.seen.length = 0
  await port.stop()
  t.deepEqual(backEnd.names, ['SET_VRING_ENABLE', 'SET_VRING_ENABLE', 'GET_VRING_BASE', 'GET_VRING_BASE'])
  t.is(port.state, 'stopped')
  await t.throwsAsync(port.stop(), { code: 'ERR_VHOST_DEVICE_GONE' })
  await port.start()
  const bases = backEnd.seen.filter(({ name }) => name === 'SET_VRING_BASE')
  t.deepEqual(
    bases.map(({ payload }) => readState(payload)),
    [0, 1].map(ring => ({ ring, value: port.bases[ring] })),
  )
})

test.serial('a refused request rejects with its name', async t => {
  const { port } = make(t, { ...MODERN, refuse: ['SET_MEM_TABLE'] })
  await t.throwsAsync(port.connect(), { code: 'ERR_VHOST_PROTOCOL', message: /refused SET_MEM_TABLE/ })
  t.is(port.state, 'idle')
})

test.serial('a back end that hangs up in between rejects, and the guest can connect again', async t => {
  const script: Script = { ...MODERN, leaveAt: 'SET_MEM_TABLE' }
  const { port } = make(t, script)
  await t.throwsAsync(port.connect(), { code: 'ERR_VHOST_PROTOCOL', message: /hung up/ })
  delete script.leaveAt
  await port.connect()
  t.is(port.state, 'running')
})

test.serial('a back end that leaves later ends the connection, not the guest', async t => {
  const { backEnd, port } = make(t, MODERN)
  await port.connect()
  const { closed } = port
  backEnd.hangUp()
  t.is(await closed, 'the back end hung up')
  t.is(port.state, 'idle')
  await port.connect()
  t.is(port.state, 'running')
})

test.serial(
  'an aborted signal ends connect() at any of its waits, and the guest can connect again',
  async t => {
    const reason = new Error('enough')
    const script: Script = { ...MODERN, silentAt: 'SET_MEM_TABLE' }
    // Nothing else ends the wait in time.
    const { backEnd, port } = make(t, script, { timeout: 3_600_000 })
    const before = native().fdCount()
    await t.throwsAsync(port.connect({ signal: AbortSignal.abort(reason) }), { is: reason })
    t.deepEqual(backEnd.names, [])
    const controller = new AbortController()
    script.onSilence = () => controller.abort(reason)
    await t.throwsAsync(port.connect({ signal: controller.signal }), { is: reason })
    t.is(port.state, 'idle')
    backEnd.hangUp()
    t.is(native().fdCount(), before)
    delete script.silentAt
    const later = new AbortController()
    await port.connect({ signal: later.signal })
    // Its work is done: the connection is not the signal's any more.
    later.abort()
    t.is(port.state, 'running')
  },
)

test.serial('an aborted signal ends the wait for a back end, and the next one is taken', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-front-'))
  const port = new GuestPort(join(folder, 'v.sock'), { role: 'server' })
  t.teardown(() => {
    port.close()
    rmSync(folder, { recursive: true })
  })
  const reason = new Error('enough')
  const controller = new AbortController()
  const waiting = port.connect({ signal: controller.signal })
  controller.abort(reason)
  await t.throwsAsync(waiting, { is: reason })
  t.is(port.state, 'idle')
  // Whoever comes now is for the next call.
  const driver = new VhostDriver(port.path, { role: 'client' })
  const running = driver.subscribe()
  await port.connect()
  t.is(port.state, 'running')
  running.unsubscribe()
})

test.serial(
  'an aborted signal ends the waits for room and for frames, and leaves nothing behind',
  async t => {
    const { port } = make(t, MODERN)
    await port.connect()
    const reason = new Error('enough')
    const controller = new AbortController()
    const { signal } = controller
    const waits = [port.room({ signal }), port.whenReceived(1, { signal })]
    controller.abort(reason)
    for (const wait of waits) await t.throwsAsync(wait, { is: reason })
    for (const wait of [port.room({ signal }), port.whenReceived(1, { signal })])
      await t.throwsAsync(wait, { is: reason })
    // What has settled no longer listens.
    const counting = new AbortController()
    t.is((await port.whenReceived(0, { signal: counting.signal })).received, 0)
    t.is(getEventListeners(counting.signal, 'abort').length, 0)
  },
)

test.serial('nobody listens: an error with a code and the path', t => {
  const port = new GuestPort('/nonexistent/v.sock')
  t.teardown(() => port.close())
  return t.throwsAsync(port.connect(), { code: 'ERR_VHOST_CONNECT_FAILED', message: /ENOENT/ })
})

test.serial('the layout of indirect tables needs a back end that offers them', async t => {
  const { port } = make(t, MODERN, { layout: 'indirect' })
  await t.throwsAsync(port.connect(), { code: 'ERR_VHOST_PROTOCOL', message: /indirect/ })
})

test.serial('closing completes frames, ends a generation and gives every fd back', async t => {
  const before = native().fdCount()
  const backEnd = new ScriptedBackEnd(MODERN)
  const port = new GuestPort(backEnd.path)
  await port.connect()
  const completed = new Promise<void>(resolve => port.frames.subscribe({ complete: resolve }))
  const generated = port.generate()
  port.close()
  port.close()
  await completed
  t.true((await generated) <= 256)
  t.throws(() => port.send(new Uint8Array(60)), { code: 'ERR_VHOST_DEVICE_GONE' })
  backEnd.close()
  t.is(native().fdCount(), before)
})

test.serial('options that make no sense throw at once', t => {
  const make = (options: GuestOptions) => () => new GuestPort('/tmp/v.sock', options)
  t.throws(make({ queueSize: 100 }), { instanceOf: RangeError })
  t.throws(make({ regions: 9 }), { instanceOf: RangeError })
  t.throws(make({ mac: 'no' }), { instanceOf: TypeError })
  t.throws(make({ layout: 'indirect', indirect: false }), { instanceOf: TypeError })
})
