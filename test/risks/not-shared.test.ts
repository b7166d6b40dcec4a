// Risk: QEMU was started without share=on. The guest boots, and no packet ever moves: nothing fails, nothing is logged.
// It must be told, with the option that is missing.
import test, { type ExecutionContext } from 'ava'
import { native } from '../../src/addon/native.js'
import { Connection } from '../../src/guest/connection.js'
import { GuestPort } from '../../src/guest/index.js'
import { resolveOptions, wantedFeatures } from '../../src/guest/options.js'
import { type Agreement, acceptFeatures, negotiate, startRings } from '../../src/guest/session.js'
import { shareMemory } from '../../src/guest/shared.js'
import { address, REQUEST, STATUS_FEATURES_OK, STATUS_RUNNING, state, u64 } from '../../src/guest/wire.js'
import type { DeviceEvent } from '../../src/index.js'
import { scene, turns, until, watchEvents } from './support/scene.js'

test.beforeEach(t => t.timeout(60_000))

interface Raw {
  connection: Connection
  agreed: Agreement
  events: DeviceEvent[]
}

/** A front end that speaks by hand, as far as the features. */
async function frontEnd(t: ExecutionContext): Promise<Raw> {
  const it = scene(t)
  const driver = it.driver('v')
  const { events, subscription } = watchEvents(driver)
  // Queues are in use, as in any program: it is they who are kicked.
  it.running(driver.fromGuest().subscribe(driver.toGuest()))
  it.running(subscription)
  const connection = Connection.to(driver.path, 10_000)
  t.teardown(() => connection.close())
  const agreed = await negotiate(connection, wantedFeatures(resolveOptions({})), 1)
  return { connection, agreed, events }
}

const faults = (events: DeviceEvent[]) =>
  events.flatMap(event => (event.type === 'fault' ? [event.error] : []))

function isToldOnce(t: ExecutionContext, events: DeviceEvent[]) {
  t.is(faults(events).length, 1)
  const [error] = faults(events)
  t.is(error.code, 'ERR_VHOST_MEMORY_NOT_SHARED')
  t.regex(error.fix ?? '', /share=on/)
  t.regex(error.message, /share=on/)
}

test.serial('DRIVER_OK without a memory table is a fault with the fix', async t => {
  const { connection, agreed, events } = await frontEnd(t)
  connection.tell(REQUEST.SET_FEATURES, u64(agreed.features))
  await connection.order(REQUEST.SET_STATUS, u64(STATUS_FEATURES_OK))
  await connection.order(REQUEST.SET_STATUS, u64(STATUS_RUNNING))
  await until(() => faults(events).length > 0)
  await connection.ask(REQUEST.GET_FEATURES) // and the connection goes on
  isToldOnce(t, events)
})

test.serial('a front end that enables rings and sends no table in time is a fault with the fix', async t => {
  // QEMU finds that it has no fd to send, says so on its own terminal, and leaves the device half started.
  const { connection, agreed, events } = await frontEnd(t)
  for (const ring of [0, 1]) connection.tell(REQUEST.SET_VRING_ENABLE, state(ring, 1))
  connection.tell(REQUEST.SET_FEATURES, u64(agreed.features))
  await until(() => faults(events).length > 0)
  await connection.ask(REQUEST.GET_FEATURES)
  isToldOnce(t, events)
})

test.serial('rings with kicks and no memory table are a fault with the fix, without STATUS too', async t => {
  const { connection, agreed, events } = await frontEnd(t)
  connection.tell(REQUEST.SET_PROTOCOL_FEATURES, u64(0n))
  connection.tell(REQUEST.SET_FEATURES, u64(agreed.features))
  const guest = new GuestPort('')
  t.teardown(() => guest.close())
  for (const ring of [0, 1]) {
    connection.tell(REQUEST.SET_VRING_NUM, state(ring, 256))
    connection.tell(REQUEST.SET_VRING_BASE, state(ring, 0))
    connection.tell(
      REQUEST.SET_VRING_ADDR,
      address(ring, { descriptors: 0x1000n, used: 0x3000n, available: 0x2000n }),
    )
    connection.tell(REQUEST.SET_VRING_KICK, u64(BigInt(ring)), [
      native().guestRingToken(guest.handle, ring, 0),
    ])
    connection.tell(REQUEST.SET_VRING_ENABLE, state(ring, 1))
  }
  await connection.ask(REQUEST.GET_FEATURES)
  await until(() => faults(events).length > 0)
  isToldOnce(t, events)
})

test.serial('kicks on a ring that reads as all zeros are a fault with the fix', async t => {
  const { connection, agreed, events } = await frontEnd(t)
  // Two guests of the same shape: the rings are in the memory of one, and the other's is what is mapped.
  const [driving, mapped] = [new GuestPort(''), new GuestPort('')]
  t.teardown(() => {
    driving.close()
    mapped.close()
  })
  native().guestStart(driving.handle, agreed.features)
  const other = shareMemory([mapped.handle], mapped.options)
  const shared = {
    ...shareMemory([driving.handle], driving.options),
    token: other.token,
    regions: other.regions,
  }
  await acceptFeatures(connection, agreed, shared)
  await startRings(connection, agreed, shared, [0, 0])
  await until(() => events.some(event => event.type === 'ready'))
  // A kick as such is no sign: QEMU kicks every ring when it starts the device.
  native().guestKickNow(driving.handle, 1)
  await turns(20)
  t.deepEqual(faults(events), [])
  for (let kicks = 0; faults(events).length === 0; kicks++) {
    t.true(kicks < 10, 'a few kicks are enough')
    native().guestKickNow(driving.handle, 1)
    await turns(20)
  }
  isToldOnce(t, events)
})
