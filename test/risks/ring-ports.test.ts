// Risk: a device lives for months, and its guest starts, stops and reboots at will. The ports on its rings are told of each
// ring event, so they must not become more, and must be gone when the queues have left.
import { join } from 'node:path'
import test from 'ava'
import { dataPlane } from '../../src/data/env.js'
import { SinkGroup } from '../../src/data/sink/group.js'
import { SourceGroup } from '../../src/data/source/group.js'
import { QueuePairs } from '../../src/device/net/queue-pairs.js'
import { DeviceSession } from '../../src/device/session.js'
import { GuestPort } from '../../src/guest/index.js'
import type { Connection } from '../../src/transport/connection.js'
import { listen } from '../../src/transport/listener.js'
import { folder } from './support/scene.js'

const CYCLES = 20
const PAIRS = 2
/** Ports on one ring: a queue of the driver that outlives the device, and for rings to the guest one of the device too. */
const FROM_GUEST_PORTS = 1
const TO_GUEST_PORTS = 2

/** A device with queues of its own and with queues that go on to the next device. */
class Device {
  readonly session: DeviceSession
  readonly pairs: QueuePairs
  readonly ended: Promise<void>
  #end = (): void => {}

  constructor(path: string, connection: Connection, source: SourceGroup, sink: SinkGroup) {
    this.session = new DeviceSession(path, connection, this, { queuePairs: PAIRS })
    this.pairs = new QueuePairs(this.session, {
      sharedWith: () => source,
      newSource: () => source,
      newSink: () => new SinkGroup(dataPlane()),
    })
    this.pairs.attachSource(source)
    this.pairs.attachSink(sink)
    this.pairs.toGuest()
    this.ended = new Promise(resolve => {
      this.#end = resolve
    })
    this.session.start()
  }

  event(): void {}

  ringState(ring: number, running: boolean): void {
    this.pairs.ringState(ring, running)
  }

  closed(): void {
    this.pairs.end()
    this.#end()
  }
}

test.serial(
  'as many ports are open as queues use rings, whatever the guest does, and none after the device',
  async t => {
    t.timeout(60_000)
    const path = join(folder(t), 'v.sock')
    const [source, sink] = [new SourceGroup(dataPlane()), new SinkGroup(dataPlane())]
    const devices: Device[] = []
    const listener = listen(path, {
      onConnection: connection => devices.push(new Device(path, connection, source, sink)),
    })
    const guest = new GuestPort(path, { pairs: PAIRS })
    const open = (): number => devices[devices.length - 1].session.openPorts
    for (let connections = 0; connections < 3; connections++) {
      await guest.connect()
      await guest.useChannels(PAIRS)
      for (let n = 0; n < CYCLES; n++) {
        await guest.stop()
        await guest.start()
        await guest.restart({ fresh: n % 2 === 0 })
        await guest.useChannels(PAIRS)
        t.is(open(), PAIRS * (FROM_GUEST_PORTS + TO_GUEST_PORTS))
      }
      const device = devices[devices.length - 1]
      guest.disconnect()
      await device.ended
      t.is(device.session.openPorts, 0)
    }
    t.is(devices.length, 3)
    guest.close()
    listener.close()
    source.close()
    sink.close()
  },
)
