// route: who gets a frame, what is learned, and that no port costs another one anything.
import test from 'ava'
import type { Observable, Subscription } from 'rxjs'
import {
  ForwardingTable,
  type ForwardingTableOptions,
  type RouteOptions,
  route,
} from '../../src/operators/index.js'
import type { Burst } from '../../src/packet/burst.js'
import type { Packet } from '../../src/packet/packet.js'
import {
  ethernet,
  FakeDevice,
  fakeFromGuest,
  fakePlane,
  fakeToGuest,
  marbles,
} from '../../src/testing/index.js'

const MAC = (n: number): string =>
  `02:00:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`
const ALL = 'ff:ff:ff:ff:ff:ff'
const send = (source: number, destination: number | string, note = ''): Buffer =>
  ethernet({
    source: MAC(source),
    destination: typeof destination === 'string' ? destination : MAC(destination),
    payload: `${note}.`,
  })
const noteOf = (frame: Buffer): string => frame.subarray(14).toString('latin1').split('.')[0]
const tagged = (frame: Buffer, vlan: number): Buffer =>
  Buffer.concat([frame.subarray(0, 12), Buffer.of(0x81, 0, vlan >> 8, vlan & 255), frame.subarray(12)])

/** A switch of so many ports. `give(port, …frames)`; `got()` is what each port's guest received since the last time. */
function scene(
  ports: number,
  form: 'bursts' | 'packets' = 'bursts',
  options: ForwardingTableOptions & RouteOptions = {},
) {
  const plane = fakePlane()
  const table = new ForwardingTable(options)
  const guests = Array.from({ length: ports }, () => ({
    from: fakeFromGuest(plane, { burst: 8, size: 1024 }),
    to: fakeToGuest(plane, { size: 4096, room: 4096 }),
  }))
  const running = guests.map(({ from, to }): Subscription => {
    const source: Observable<Burst | Packet> = form === 'bursts' ? from.queue : from.queue.packets
    return source.pipe(route(table, to.sink, options)).subscribe()
  })
  return {
    plane,
    table,
    guests,
    running,
    sinks: guests.map(({ to }) => to.sink),
    drops: () => guests.map(({ from }) => from.queue.stats.drops),
    give(port: number, ...frames: Buffer[]): string[] {
      for (const { to } of guests) to.port.received.length = 0
      guests[port].from.port.send(...frames)
      plane.loop.drain()
      return guests.map(({ to }) => to.port.received.map(noteOf).join(' '))
    },
  }
}

for (const form of ['bursts', 'packets'] as const) {
  test(`${form}: unknown addresses and groups go to all others, known ones to their port, own ones nowhere`, t => {
    const { give, plane, drops } = scene(3, form)
    t.deepEqual(give(0, send(1, 2, 'x')), ['', 'x', 'x'])
    t.deepEqual(give(1, send(2, 1, 'y')), ['y', '', ''])
    t.deepEqual(give(0, send(1, 2, 'x'), send(1, 9, 'u'), send(1, ALL, 'a'), send(1, 2, 'z')), [
      '',
      'x u a z',
      'u a',
    ])
    t.deepEqual(give(0, send(3, 1, 'own')), ['', '', ''])
    t.deepEqual(give(2, send(4, 3, 'b')), ['b', '', ''])
    t.deepEqual([plane.pool.leases, drops()], [0, [{}, {}, {}]])
  })

  test(`${form}: a guest that posts no buffers costs its own traffic only`, t => {
    const { give, guests, sinks } = scene(3, form)
    guests[2].to.port.setRunning(true)
    guests[2].to.port.post(-4096)
    for (let i = 0; i < 10; i++)
      t.is(give(0, ...Array.from({ length: 100 }, () => send(1, ALL, 'f')))[1].split(' ').length, 100)
    t.deepEqual(sinks[2].stats.drops, { overflow: 1000 - 256 })
    t.deepEqual(sinks[1].stats.drops, {})
  })

  test(`${form}: what is no frame, for bridges only, or spoofed is dropped and counted`, t => {
    const { give, table, sinks, drops } = scene(2, form)
    table.addStatic(MAC(7), sinks[1])
    t.deepEqual(
      give(
        0,
        Buffer.alloc(13),
        send(1, '01:80:c2:00:00:0e', 'lldp'),
        send(1, '01:80:c2:00:00:10', 'ok'),
        send(7, ALL, 'liar'),
      ),
      ['', 'ok'],
    )
    t.deepEqual(drops(), [{ malformed: 1, 'link-local': 1, spoofed: 1 }, {}])
    t.deepEqual(give(1, send(7, 1, 'right')), ['right', ''])
  })
}

test('in virtual time: flooded, then learned', t => {
  marbles(
    h => {
      const table = new ForwardingTable({ now: () => h.clock.now() })
      const frames = { q: [send(1, 2, 'q')], r: [send(2, 1, 'r')] }
      const a = { from: h.fakeQueue('q-----q-|', { frames }), to: h.fakeSink('9') }
      const b = { from: h.fakeQueue('---r----|', { frames }), to: h.fakeSink('9') }
      const c = h.fakeSink('9')
      for (const { from, to } of [a, b])
        h.expectObservable(from.queue.pipe(route(table, to.sink))).toBe('--------|')
      h.expectObservable(h.fakeQueue('--------|').queue.pipe(route(table, c.sink))).toBe('--------|')
      h.expectReceived(a.to, noteOf).toBe('---r----', { r: ['r'] })
      h.expectReceived(b.to, noteOf).toBe('q-----q-', { q: ['q'] })
      h.expectReceived(c, noteOf).toBe('q-------', { q: ['q'] })
    },
    { equal: t.deepEqual },
  )
})

test('an address moves with its station, and is forgotten when it has aged', t => {
  let now = 0
  const { give, table, sinks } = scene(3, 'bursts', { now: () => now, age: 1000 })
  give(0, send(1, ALL))
  t.is(table.lookup(MAC(1)), sinks[0])
  give(1, send(1, ALL))
  t.is(table.lookup(MAC(1)), sinks[1])
  t.deepEqual(table.stats, { addresses: 1, moved: 1 })
  now = 999
  t.deepEqual(give(2, send(2, 1, 'k')), ['', 'k', ''])
  now = 1000
  t.deepEqual(give(2, send(2, 1, 'f')), ['f', 'f', ''])
  t.is(table.lookup(MAC(1)), undefined)
})

test('each VLAN learns for itself', t => {
  const { give, table, sinks } = scene(3)
  give(0, tagged(send(1, ALL), 5))
  give(1, tagged(send(1, ALL), 6))
  t.deepEqual(
    [table.lookup(MAC(1), 5), table.lookup(MAC(1), 6), table.lookup(MAC(1))],
    [sinks[0], sinks[1], undefined],
  )
  t.deepEqual(
    give(2, tagged(send(2, 1), 5), tagged(send(2, 1), 6), send(2, 1)).map(notes => notes.length > 0),
    [true, true, false],
  )
})

test('a guest that makes up addresses loses its own, and no other port’s', t => {
  const { give, table, sinks } = scene(2, 'bursts', { maxPerPort: 100, maxAddresses: 150 })
  give(1, send(1, ALL))
  for (let n = 0; n < 1000; n += 100)
    give(0, ...Array.from({ length: 100 }, (_, i) => send(1000 + n + i, ALL)))
  t.is(table.stats.addresses, 101)
  t.is(table.lookup(MAC(1)), sinks[1])
  t.is(table.lookup(MAC(1999)), sinks[0])
  t.is(table.lookup(MAC(1899)), undefined)
})

test('a full table makes room by what has aged, else by the port’s own', t => {
  let now = 0
  const { give, table, sinks } = scene(3, 'bursts', { maxAddresses: 4, age: 1000, now: () => now })
  give(0, send(1, ALL), send(2, ALL), send(3, ALL))
  give(1, send(4, ALL), send(5, ALL))
  t.deepEqual([table.lookup(MAC(4)), table.lookup(MAC(5))], [undefined, sinks[1]])
  give(2, send(6, ALL))
  t.is(table.lookup(MAC(6)), undefined, 'no room, and none of its own')
  now = 2000
  give(2, send(6, ALL))
  t.is(table.lookup(MAC(6)), sinks[2])
  t.deepEqual(table.stats, { addresses: 1, moved: 0 })
})

test('a port that leaves is forgotten; a static address waits for it', t => {
  const { give, table, running, sinks } = scene(3)
  table.addStatic(MAC(9), sinks[1])
  give(1, send(1, ALL))
  running[1].unsubscribe()
  t.deepEqual(give(0, send(3, 1, 'x')), ['', '', 'x'])
  t.deepEqual([table.lookup(MAC(1)), table.lookup(MAC(9))], [undefined, undefined])
  const again = scene(0)
  void again
  table.removeStatic(MAC(9))
  t.is(table.stats.addresses, 1)
  t.throws(() => table.addStatic('no address', sinks[0]), { instanceOf: TypeError })
})

test('two pipelines of one guest are one port', t => {
  const { give, table, guests, sinks } = scene(2)
  const second = guests[0].from.queue.pipe(route(table, sinks[0])).subscribe()
  t.deepEqual(give(1, send(2, ALL, 'a')), ['a', ''])
  second.unsubscribe()
  t.deepEqual(give(1, send(2, ALL, 'b')), ['b', ''])
})

const RARP_OF_1 = `${'ff'.repeat(6)}0200000000018035000108000604000302000000000100000000020000000001${'00'.repeat(22)}`

test('a guest that has migrated here is learned, and announced to all other ports', t => {
  const { give, table, guests, sinks, plane } = scene(3)
  give(2, send(1, ALL))
  for (const { to } of guests) to.port.received.length = 0
  guests[0].to.target.moved(MAC(1))
  plane.loop.drain()
  t.is(table.lookup(MAC(1)), sinks[0])
  t.deepEqual(
    guests.map(({ to }) => to.port.received.map(frame => frame.toString('hex'))),
    [[], [RARP_OF_1], [RARP_OF_1]],
  )
  t.deepEqual([table.stats, plane.pool.leases], [{ addresses: 1, moved: 1 }, 0])
  t.deepEqual(give(1, send(2, 1, 'k')), ['k', '', ''])
})

test('a front end that announces a static address of another port is not believed', t => {
  const { table, guests, sinks, plane } = scene(2)
  table.addStatic(MAC(1), sinks[1])
  guests[0].to.target.moved(MAC(1))
  plane.loop.drain()
  t.is(table.lookup(MAC(1)), sinks[1])
  t.deepEqual(
    guests.map(({ to }) => to.port.received.length),
    [0, 0],
  )
})

test('announcements to a guest that posts no buffers are bounded, also where its port blocks', t => {
  const { guests, sinks, plane } = scene(2, 'bursts', { overflow: 'block' })
  guests[1].to.port.post(-4096)
  for (let n = 0; n < 300; n++) guests[0].to.target.moved(MAC(1))
  plane.loop.drain()
  t.deepEqual([sinks[1].stats.held, sinks[1].stats.drops], [256, { overflow: 44 }])
})

test('two pipelines of one guest announce it once', t => {
  const { table, guests, sinks, plane } = scene(2)
  const second = guests[0].from.queue.pipe(route(table, sinks[0])).subscribe()
  guests[0].to.target.moved(MAC(1))
  second.unsubscribe()
  guests[0].to.target.moved(MAC(1))
  plane.loop.drain()
  t.is(guests[1].to.port.received.length, 2)
})

test('a port whose pipeline has ended announces nothing', t => {
  const { table, guests, running, plane } = scene(2)
  running[0].unsubscribe()
  guests[0].to.target.moved(MAC(1))
  plane.loop.drain()
  t.deepEqual([table.stats.addresses, guests[1].to.port.received.length], [0, 0])
})

test('a port whose device leaves is forgotten, but its static addresses are not', t => {
  const { give, table, guests, sinks } = scene(3)
  table.addStatic(MAC(9), sinks[1])
  give(1, send(1, ALL), tagged(send(1, ALL), 5))
  give(2, send(2, ALL))
  guests[1].to.target.detach()
  t.deepEqual(
    table.entries().map(({ address }) => address),
    [MAC(9), MAC(2)],
  )
  t.deepEqual(give(0, send(3, 1, 'x')), ['', '', 'x'])
})

test('addresses can be learned, forgotten and listed', t => {
  let now = 0
  const { give, table, sinks, running } = scene(3, 'bursts', { now: () => now, age: 1000 })
  t.true(table.learn(MAC(1), sinks[0]))
  now = 400
  t.true(table.learn('fe:ff:ff:ff:ff:fe', sinks[1], 4095))
  table.addStatic(MAC(9), sinks[2], 7)
  t.false(table.learn(MAC(9), sinks[0], 7), 'bound to another sink')
  t.deepEqual(table.entries(), [
    { address: MAC(9), vlan: 7, sink: sinks[2], isStatic: true, age: 0 },
    { address: MAC(1), vlan: 0, sink: sinks[0], isStatic: false, age: 400 },
    { address: 'fe:ff:ff:ff:ff:fe', vlan: 4095, sink: sinks[1], isStatic: false, age: 0 },
  ])
  t.deepEqual(give(2, send(2, 1, 'k')), ['k', '', ''])
  table.forget(MAC(1))
  table.forget(MAC(1))
  table.forget(MAC(9), 7)
  t.deepEqual(give(2, send(2, 1, 'f')), ['f', 'f', ''])
  table.forget(sinks[1])
  now = 1400
  t.deepEqual(
    table.entries().map(({ address }) => address),
    [MAC(9)],
    'addresses that have aged are not listed',
  )
  running[0].unsubscribe()
  t.false(table.learn(MAC(1), sinks[0]), 'no port')
  for (const address of [ALL, '01:00:5e:00:00:01', '00:00:00:00:00:00'])
    t.throws(() => table.learn(address, sinks[1]), { instanceOf: RangeError, message: /one station/ })
  t.throws(() => table.learn('no address', sinks[1]), { instanceOf: TypeError })
})

test('a device reports through its sink that its guest has moved here, and that it has gone', t => {
  const plane = fakePlane()
  const table = new ForwardingTable()
  const [a, b] = [new FakeDevice(plane, { room: 8 }), new FakeDevice(plane, { room: 8 })]
  for (const device of [a, b]) device.fromGuest().pipe(route(table, device.toGuest())).subscribe()
  a.emit({ type: 'rarp', mac: MAC(1) })
  plane.loop.drain()
  t.is(table.lookup(MAC(1)), a.to.sink)
  t.deepEqual(
    b.ports.toGuest.received.map(frame => frame.toString('hex')),
    [RARP_OF_1],
  )
  a.close()
  t.is(table.lookup(MAC(1)), undefined)
})
