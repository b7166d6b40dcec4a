// Features by name, what a front end is offered, and one that comes back to fewer of them than its rings were made with.
import { join } from 'node:path'
import test from 'ava'
import { GuestPort } from '../../src/guest/index.js'
import { type DeviceEvent, type FeatureName, VhostDriver } from '../../src/index.js'
import { enqueue } from '../../src/operators/index.js'
import { type folder, intact, scene, until, watchEvents } from './support/scene.js'

test.beforeEach(t => t.timeout(60_000))

const driver = (options = {}) => new VhostDriver('/nowhere/a.sock', options)
const faults = (events: DeviceEvent[]) =>
  events.flatMap(event => (event.type === 'fault' ? [event.error] : []))

test('features are named as the specification names them, and can be taken away and given back', t => {
  const all = driver().getFeatures()
  t.true(all.includes('VIRTIO_NET_F_MRG_RXBUF') && all.includes('VIRTIO_F_VERSION_1'))
  t.true(all.includes('VIRTIO_RING_F_EVENT_IDX') && all.includes('VHOST_USER_F_PROTOCOL_FEATURES'))
  const a = driver().disableFeatures('VIRTIO_NET_F_MRG_RXBUF', 'VIRTIO_RING_F_EVENT_IDX')
  t.deepEqual(
    a.getFeatures(),
    all.filter(name => !['VIRTIO_NET_F_MRG_RXBUF', 'VIRTIO_RING_F_EVENT_IDX'].includes(name)),
  )
  t.deepEqual(a.enableFeatures('VIRTIO_RING_F_EVENT_IDX', 'VIRTIO_NET_F_MRG_RXBUF').getFeatures(), all)
  t.deepEqual(a.setFeatures(['VIRTIO_F_VERSION_1']).getFeatures(), [
    'VHOST_USER_F_PROTOCOL_FEATURES',
    'VIRTIO_F_VERSION_1',
  ])
  t.deepEqual(a.disableFeatures('VHOST_USER_F_PROTOCOL_FEATURES').getFeatures(), ['VIRTIO_F_VERSION_1'])
  const named = driver({
    features: ['VIRTIO_F_VERSION_1'],
    protocolFeatures: ['VHOST_USER_PROTOCOL_F_REPLY_ACK'],
  })
  t.is(named.getFeatures().length, 2)
  t.deepEqual(named.getProtocolFeatures(), ['VHOST_USER_PROTOCOL_F_REPLY_ACK'])
})

test('protocol features likewise', t => {
  const all = driver().getProtocolFeatures()
  t.true(all.includes('VHOST_USER_PROTOCOL_F_MQ'))
  const a = driver().disableProtocolFeatures('VHOST_USER_PROTOCOL_F_STATUS')
  t.false(a.getProtocolFeatures().includes('VHOST_USER_PROTOCOL_F_STATUS'))
  t.deepEqual(a.enableProtocolFeatures('VHOST_USER_PROTOCOL_F_STATUS').getProtocolFeatures(), all)
  t.deepEqual(a.setProtocolFeatures([]).getProtocolFeatures(), [])
})

test('what is not implemented, and what does not exist, can not be offered', t => {
  const code = 'ERR_VHOST_INVALID_ARGUMENT'
  t.throws(() => driver().enableFeatures('VIRTIO_F_RING_PACKED'), { code, message: /not implemented/ })
  t.throws(() => driver().setFeatures(['MRG_RXBUF' as FeatureName]), { code, message: /not the name/ })
  t.throws(() => driver().enableFeatures('VHOST_USER_PROTOCOL_F_MQ' as unknown as FeatureName), { code })
  t.throws(() => driver().enableProtocolFeatures('VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD'), { code })
  t.notThrows(() => driver().disableFeatures('VIRTIO_F_RING_PACKED'))
  for (const queuePairs of [0, 129, 1.5]) t.throws(() => driver({ queuePairs }), { instanceOf: RangeError })
})

test.serial('they can be changed while nobody is subscribed, and not while somebody is', async t => {
  const it = scene(t)
  const a = it.driver('a')
  const running = a.subscribe()
  t.throws(() => a.disableFeatures('VIRTIO_NET_F_MRG_RXBUF'), { code: 'ERR_VHOST_INVALID_ARGUMENT' })
  t.throws(() => a.setProtocolFeatures([]), { code: 'ERR_VHOST_INVALID_ARGUMENT' })
  running.unsubscribe()
  a.disableFeatures('VIRTIO_NET_F_MRG_RXBUF').setProtocolFeatures(['VHOST_USER_PROTOCOL_F_REPLY_ACK'])
  const { events, subscription } = watchEvents(a)
  it.running(subscription)
  const guest = await it.guest(a)
  t.is(guest.agreed!.features & (1n << 15n), 0n)
  t.is(guest.agreed!.protocolFeatures, 8n)
  const negotiated = events.find(event => event.type === 'negotiated') as DeviceEvent & { type: 'negotiated' }
  t.false(negotiated.features.includes('VIRTIO_NET_F_MRG_RXBUF'))
  t.deepEqual(negotiated.protocolFeatures, ['VHOST_USER_PROTOCOL_F_REPLY_ACK'])
})

for (const protocol of [true, false])
  test.serial(
    `without ${protocol ? 'any protocol feature' : 'the protocol’s features'} frames pass`,
    async t => {
      const it = scene(t)
      const a = it.driver('a')
      if (protocol) a.setProtocolFeatures([])
      else a.disableFeatures('VHOST_USER_F_PROTOCOL_FEATURES')
      it.running(a.fromGuest().pipe(enqueue(a.toGuest())).subscribe())
      const guest = await it.guest(a)
      guest.check()
      await guest.generate({ frames: 500 })
      t.like(await guest.whenReceived(500), { received: 500, ...intact })
    },
  )

/** A guest that listens, and a back end that comes to it, twice. */
async function comesBack(t: Parameters<typeof folder>[0], lose: FeatureName[], resume: boolean) {
  const it = scene(t)
  const guest = new GuestPort(join(it.folder, 'guest.sock'), { role: 'server' })
  t.teardown(() => guest.close())
  const a = it.driver('guest', { role: 'client', reconnect: { first: 1, most: 20 } })
  const both = [watchEvents(a)]
  const first = a.fromGuest().pipe(enqueue(a.toGuest())).subscribe()
  await guest.connect()
  guest.check()
  await guest.generate({ frames: 300 })
  await guest.whenReceived(300)
  const lost = guest.closed
  first.unsubscribe()
  both[0].subscription.unsubscribe()
  await lost
  a.disableFeatures(...lose)
  both.push(watchEvents(a))
  it.running(both[1].subscription)
  it.running(a.fromGuest().pipe(enqueue(a.toGuest())).subscribe())
  await guest.connect({ resume })
  guest.check({ adopt: true })
  await guest.generate({ frames: 300 })
  t.like(await guest.whenReceived(300), { received: 300, ...intact })
  await until(() => both[1].events.some(({ type }) => type === 'ready'))
  return faults(both[1].events)
}

test.serial('a reconnect with the same features is no fault, and its rings go on', async t => {
  t.deepEqual(await comesBack(t, [], true), [])
})

test.serial('a reconnect that lacks a feature in use before is a fault that names it', async t => {
  const [fault, ...more] = await comesBack(t, ['VIRTIO_RING_F_INDIRECT_DESC', 'VIRTIO_NET_F_CSUM'], true)
  t.deepEqual(more, [])
  t.is(fault.code, 'ERR_VHOST_FEATURES_LOST')
  t.regex(fault.message, /VIRTIO_RING_F_INDIRECT_DESC/)
  t.notRegex(fault.message, /VIRTIO_NET_F_CSUM/, 'which it never had in use')
  t.truthy(fault.fix)
})

test.serial('a new guest with fewer features is none: its rings are new', async t => {
  t.deepEqual(await comesBack(t, ['VIRTIO_RING_F_INDIRECT_DESC'], false), [])
})
