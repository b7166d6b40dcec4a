// The order in which a ring event reaches what depends on it: each port of the ring, then the queues of the device.
import test from 'ava'
import { RingPorts } from '../../src/data/ring/ring-ports.js'

const ignore = (): void => {}
const NO_DEVICE = 0xffff

test('every port of a ring knows its state before the listener is told', t => {
  const told: [number, boolean, boolean[]][] = []
  const listener = {
    ringState: (ring: number, running: boolean) => {
      told.push([ring, running, ports.map(port => port.running)])
    },
  }
  const rings = new RingPorts(listener)
  const ports = [0, 1, 1].map(ring => rings.open(NO_DEVICE, ring, false, ignore))
  rings.ringState(1, true)
  rings.ringState(0, true)
  rings.ringState(1, false)
  t.deepEqual(told, [
    [1, true, [false, true, true]],
    [0, true, [true, true, true]],
    [1, false, [true, false, false]],
  ])
})

test('a port that its queue has closed is told nothing more, also if it never reached its ring', t => {
  const rings = new RingPorts({ ringState: ignore })
  const [first, second] = [rings.open(NO_DEVICE, 0, false, ignore), rings.open(NO_DEVICE, 0, false, ignore)]
  t.is(rings.count, 2)
  first.close()
  rings.ringState(0, true)
  t.deepEqual([rings.count, first.running, second.running], [1, false, true])
  first.close()
  second.close()
  t.is(rings.count, 0)
})

test('a listener can close and open ports while it is told', t => {
  const rings = new RingPorts({
    ringState: (_ring, running) => {
      if (running) first.close()
      else rings.open(NO_DEVICE, 1, false, ignore)
    },
  })
  const first = rings.open(NO_DEVICE, 1, false, ignore)
  rings.ringState(1, true)
  t.is(rings.count, 0)
  rings.ringState(1, false)
  t.is(rings.count, 1)
})
