// The lifecycle as a device tells it, from connected to closed; explain() of a live device; and the trace of its messages.
import { spawnSync } from 'node:child_process'
import test from 'ava'
import type { DeviceEvent, TraceEntry, VhostDevice } from '../../src/index.js'
import { scene, until, watchEvents } from './support/scene.js'

test.beforeEach(t => t.timeout(60_000))

const types = (events: DeviceEvent[]) => events.map(({ type }) => type)

test.serial('a life, in order: each event once, with what belongs to it', async t => {
  const it = scene(t)
  const a = it.driver('a')
  const { events, subscription } = watchEvents(a)
  it.running(subscription)
  const guest = await it.guest(a)
  t.deepEqual(types(events), [
    ...['snapshot', 'connected', 'negotiated', 'status', 'memory'],
    ...['status', 'ring-started', 'ring-started', 'ready'],
  ])
  t.like(events[1], { type: 'connected', peer: { pid: process.pid, uid: process.getuid!() } })
  events.length = 0
  await guest.restart({ fresh: true })
  t.deepEqual(
    types(events).filter(type => type !== 'status'),
    ['ring-stopped', 'ring-stopped', 'stopped', 'ring-started', 'ring-started', 'ready'],
  )
  t.deepEqual(
    events.flatMap(event => (event.type === 'ring-stopped' ? [event.reason] : [])),
    ['disabled', 'disabled'],
  )
  events.length = 0
  guest.close()
  await until(() => types(events).includes('closed'))
  t.deepEqual(types(events), ['ring-stopped', 'ring-stopped', 'stopped', 'closed'])
})

test.serial('explain() of a device that runs, of one that was stopped, and of one that is gone', async t => {
  const it = scene(t)
  const a = it.driver('a')
  const devices: VhostDevice[] = []
  it.running(a.subscribe(device => devices.push(device)))
  const guest = await it.guest(a)
  const [device] = devices
  t.is(device.explain().text, 'device: ready\nring 0: runs\nring 1: runs')
  t.is(device.peer?.pid, process.pid)
  await guest.stop()
  t.deepEqual(device.explain().rings[1].missing, ['kick', 'enabled'])
  guest.close()
  await until(() => device.explain().text.startsWith('device: gone'))
})

test.serial(
  'the trace has every message of both directions, and costs nothing when nobody looks',
  async t => {
    const it = scene(t)
    const a = it.driver('a')
    it.running(a.subscribe())
    const trace: TraceEntry[] = []
    const looking = a.trace$.subscribe(entry => trace.push(entry))
    const guest = await it.guest(a)
    const said = trace.map(({ way, request }) => `${way} ${request}`)
    t.deepEqual(said.slice(0, 6), [
      ...['in SET_OWNER', 'in GET_FEATURES', 'out GET_FEATURES'],
      ...['in GET_PROTOCOL_FEATURES', 'out GET_PROTOCOL_FEATURES', 'in SET_PROTOCOL_FEATURES'],
    ])
    t.is(said.filter(line => line === 'in SET_VRING_KICK').length, 2)
    t.is(said.filter(line => line === 'out SET_MEM_TABLE').length, 1)
    t.true(trace.every(({ device, time }) => device > 0 && time >= 0))
    looking.unsubscribe()
    const count = trace.length
    await guest.restart()
    t.is(trace.length, count)
  },
)

test('DEBUG=rx-vhost:control prints the same', t => {
  const script = `
    import { VhostDriver } from ${JSON.stringify(new URL('../../src/index.js', import.meta.url).href)}
    import { GuestPort } from ${JSON.stringify(new URL('../../src/guest/index.js', import.meta.url).href)}
    const path = '/tmp/rx-vhost-debug-' + process.pid + '.sock'
    const running = new VhostDriver(path).subscribe()
    const guest = new GuestPort(path)
    await guest.connect()
    guest.close()
    running.unsubscribe()
  `
  const { stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    env: { ...process.env, DEBUG: 'rx-vhost:control' },
  })
  t.is(status, 0, stderr)
  t.regex(stderr, /rx-vhost:control \d+ ← SET_VRING_NUM ring 1, value 256/)
  t.regex(stderr, /→ GET_FEATURES features \[VIRTIO_NET_F_CSUM/)
})
