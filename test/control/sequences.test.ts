// The wire sequences of the reference front ends, from connecting to stopping and starting again.
import test from 'ava'
import { net } from '../../src/control/kinds/net.js'
import { FrontEnd, otherRegion, region } from './front-end.js'

const ACK_DRIVER = 3
const FEATURES_OK = 8
const DRIVER_OK = 4

/** What QEMU does at connect, for a net device with one queue pair. */
function qemuConnect(): FrontEnd {
  const qemu = new FrontEnd()
  qemu.getFeatures()
  qemu.getProtocolFeatures()
  qemu.setProtocolFeatures(net.protocolFeatures)
  qemu.setOwner()
  qemu.getFeatures()
  for (const ring of [0, 1]) {
    qemu.call(ring)
    qemu.err(ring)
  }
  qemu.enable(0, 1)
  qemu.enable(1, 1)
  return qemu
}

/** What it does when the guest's driver is ready. */
function qemuStart(qemu: FrontEnd, bases = [0, 0]): void {
  qemu.enable(0, 1)
  qemu.enable(1, 1)
  qemu.setFeatures()
  qemu.getStatus()
  qemu.setStatus(ACK_DRIVER | FEATURES_OK)
  qemu.setMemory([region], { needReply: true })
  for (const ring of [0, 1]) qemu.setUpRing(ring, 256, bases[ring])
  qemu.getStatus()
  qemu.setStatus(ACK_DRIVER | FEATURES_OK | DRIVER_OK)
}

test('QEMU 7.2: rings run with DRIVER_OK, stop with status 0, and their bases are there afterwards', t => {
  const qemu = qemuConnect()
  t.deepEqual(qemu.running, [])
  qemuStart(qemu)
  t.deepEqual(qemu.running, [0, 1])
  t.deepEqual(qemu.eventTypes, ['status', 'ring-started 0', 'ring-started 1', 'ready'])

  // Status 0 comes before the bases are asked for.
  qemu.native = ask => (ask.kind === 'stop-ring' ? { value: 100 + ask.ring } : undefined)
  qemu.setStatus(0)
  t.deepEqual(qemu.eventTypes, ['status', 'ring-stopped 0', 'ring-stopped 1', 'stopped'])
  qemu.enable(0, 0)
  qemu.enable(1, 0)
  for (const ring of [0, 1]) {
    qemu.getBase(ring)
    t.deepEqual([...new Uint32Array(qemu.replies[0].payload.buffer)], [ring, 100 + ring])
  }

  // The guest comes back, after a reboot for instance.
  qemuStart(qemu, [100, 101])
  t.deepEqual(qemu.running, [0, 1])
  t.is(qemu.eventTypes.at(-1), 'ready')
  t.is(qemu.state.rings[1].base, 101)
})

test('QEMU 8.1 and later: the bases come first, then status 0', t => {
  const qemu = qemuConnect()
  qemuStart(qemu)
  qemu.native = ask => (ask.kind === 'stop-ring' ? { value: 7 } : undefined)
  qemu.getBase(0)
  t.deepEqual(qemu.eventTypes, ['ring-stopped 0', 'stopped'])
  qemu.getBase(1)
  t.deepEqual(qemu.eventTypes, ['ring-stopped 1'])
  qemu.setStatus(0)
  t.deepEqual(qemu.eventTypes, ['status'])
  qemuStart(qemu, [7, 7])
  t.deepEqual(qemu.running, [0, 1])
})

test('QEMU before 7.2 without STATUS: rings run with their kicks', t => {
  const qemu = new FrontEnd()
  qemu.getFeatures()
  qemu.setProtocolFeatures(0x8n)
  qemu.setOwner()
  qemu.enable(0, 1)
  qemu.enable(1, 1)
  qemu.setFeatures()
  qemu.setMemory([region], { needReply: true })
  qemu.setUpRing(0)
  t.deepEqual(qemu.running, [0])
  qemu.setUpRing(1)
  t.deepEqual(qemu.running, [0, 1])
})

test('QEMU sends its memory table again when a device is plugged in, and nothing stops', t => {
  const qemu = qemuConnect()
  qemuStart(qemu)
  qemu.setMemory([region], { needReply: true })
  t.is(qemu.answer, 0n)
  t.deepEqual(qemu.asks, [])
  t.deepEqual(qemu.running, [0, 1])
})

function virtioUserStart(port: FrontEnd): void {
  port.call(0)
  port.call(1)
  port.setFeatures()
  port.setStatus(ACK_DRIVER | FEATURES_OK, { needReply: true })
  port.setMemory([region], { needReply: true })
  for (const ring of [0, 1]) {
    port.num(ring, 256)
    port.base(ring, 0)
    port.addr(ring)
    port.kick(ring)
  }
  port.enable(0, 1)
  port.enable(1, 1)
  port.setStatus(ACK_DRIVER | FEATURES_OK | DRIVER_OK, { needReply: true })
}

test('virtio-user 22.11: start, memory hot-plug, stop', t => {
  const port = new FrontEnd()
  port.setOwner()
  port.getFeatures()
  t.is(port.answer, net.features)
  port.getProtocolFeatures()
  port.setProtocolFeatures(0x10008n)
  virtioUserStart(port)
  t.is(port.answer, 0n)
  t.deepEqual(port.running, [0, 1])

  // Hot-plug: the rings are disabled around the new table and go on from where they were.
  port.native = ask => (ask.kind === 'stop-ring' ? { value: 42 } : undefined)
  port.enable(0, 0)
  port.enable(1, 0)
  t.deepEqual(port.running, [])
  port.setMemory([region, otherRegion], { needReply: true })
  t.is(port.answer, 0n)
  port.enable(0, 1)
  t.like(port.asks[0], { kind: 'start-ring', ring: 0, base: 42 })
  port.enable(1, 1)
  t.deepEqual(port.running, [0, 1])
  t.false(port.eventTypes.includes('ready'))

  port.enable(0, 0)
  port.enable(1, 0)
  port.getBase(0)
  t.deepEqual(port.eventTypes, ['stopped'])
  port.getBase(1)
  t.deepEqual([...new Uint32Array(port.replies[0].payload.buffer)], [1, 42])
})

test('virtio-user as a server comes back without SET_OWNER', t => {
  const port = new FrontEnd()
  port.getFeatures()
  port.setProtocolFeatures(0x10008n)
  virtioUserStart(port)
  t.deepEqual(port.running, [0, 1])
})
