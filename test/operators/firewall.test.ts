// firewall: rules, connections, and that nothing gets through by hiding what a rule asks for.
import test from 'ava'
import fc from 'fast-check'
import type { Observable } from 'rxjs'
import { EtherType, HeaderReader } from '../../src/headers/index.js'
import { Firewall, type FirewallOptions, type FirewallRule, firewall } from '../../src/operators/index.js'
import type { Burst } from '../../src/packet/burst.js'
import type { Packet } from '../../src/packet/packet.js'
import {
  ethernet,
  fakeFromGuest,
  fakePlane,
  ipv4,
  marbles,
  type TcpOptions,
  tcp,
  udp,
} from '../../src/testing/index.js'
import * as six from '../headers/support/corpus.js'
import { mutilated } from '../headers/support/mutilated.js'
import { withPacket } from '../headers/support/packets.js'

type Side = 'in' | 'out'
const INSIDE = '10.0.0.1'
const OUTSIDE = '192.0.2.9'

/** A firewall between two guests; `pass` says which of the frames from a side got through, by number. */
function scene(rules: FirewallRule[], options: FirewallOptions = {}, form: 'bursts' | 'packets' = 'bursts') {
  let now = 0
  const wall = new Firewall(rules, { now: () => now, ...options })
  const plane = fakePlane()
  const passed: Buffer[] = []
  const sides = Object.fromEntries(
    (['in', 'out'] as const).map(from => {
      const guest = fakeFromGuest(plane, { burst: 8, size: 4096 })
      const source: Observable<Burst | Packet> = form === 'bursts' ? guest.queue : guest.queue.packets
      source.pipe(firewall(wall, { from })).subscribe(item => {
        for (const packet of Symbol.iterator in item ? item : [item]) passed.push(packet.toBuffer())
      })
      return [from, guest]
    }),
  )
  return {
    wall,
    plane,
    drops: (side: Side) => sides[side].queue.stats.drops,
    wait: (ms: number): void => {
      now += ms
    },
    pass(side: Side, ...frames: Uint8Array[]): number[] {
      passed.length = 0
      sides[side].port.send(...frames)
      plane.loop.drain()
      let at = 0
      return frames.flatMap((frame, i) => (passed[at]?.equals(frame) && ++at > 0 ? [i] : []))
    },
  }
}
const segment = (side: Side, flags: string, options: TcpOptions = {}): Buffer =>
  side === 'in'
    ? tcp({ from: INSIDE, to: OUTSIDE, fromPort: 4000, toPort: 80, flags, ...options })
    : tcp({ from: OUTSIDE, to: INSIDE, fromPort: 80, toPort: 4000, flags, ...options })
const datagram = (side: Side, port = 4000): Buffer =>
  side === 'in'
    ? udp({ from: INSIDE, to: OUTSIDE, fromPort: port, toPort: 53 })
    : udp({ from: OUTSIDE, to: INSIDE, fromPort: 53, toPort: port })
const changed = (frame: Uint8Array, at: number, ...bytes: number[]): Buffer => {
  const copy = Buffer.from(frame)
  copy.set(bytes, at)
  return copy
}
const OUT: FirewallRule[] = [{ action: 'accept', from: 'in' }]

for (const form of ['bursts', 'packets'] as const)
  test(`${form}: the first rule that applies decides, counted, else the policy`, t => {
    const rules: FirewallRule[] = [
      { action: 'count', protocol: 'udp', name: 'all udp' },
      { action: 'drop', source: '10.9.0.0/16' },
      { action: 'accept', destinationPort: [53, '8000-8080'], protocol: 'udp', name: 'services' },
    ]
    const { pass, wall, drops, plane } = scene(rules, { stateful: false }, form)
    const frames = [
      udp({ toPort: 53 }),
      udp({ toPort: 54 }),
      udp({ toPort: 8040 }),
      udp({ toPort: 53, from: '10.9.7.7' }),
      tcp({ toPort: 53 }),
      udp({ toPort: 8081 }),
    ]
    t.deepEqual(pass('in', ...frames), [0, 2])
    t.deepEqual(wall.stats, {
      accepted: 2,
      established: 0,
      dropped: { 'firewall-policy': 3, 'firewall-rule': 1 },
      rules: [
        { name: 'all udp', action: 'count', packets: 5, bytes: 300 },
        { name: 'rule 2', action: 'drop', packets: 1, bytes: 60 },
        { name: 'services', action: 'accept', packets: 2, bytes: 120 },
      ],
      connections: { known: 0, established: 0, evicted: 0 },
    })
    t.deepEqual(drops('in'), { 'firewall-policy': 3, 'firewall-rule': 1 })
    t.is(plane.pool.leases, 0)
  })

test('in virtual time', t => {
  marbles(
    h => {
      const frames = { a: [udp({ toPort: 53 }), udp({ toPort: 54 })], b: [udp({ toPort: 54 })] }
      const { queue } = h.fakeQueue('--a--b--|', { frames })
      const wall = firewall([{ action: 'accept', protocol: 'udp', destinationPort: 53 }])
      h.expectBursts(queue.pipe(wall), null, { as: packet => packet.uint16(36) }).toBe('--a-----|', {
        a: [53],
      })
    },
    { equal: t.deepEqual },
  )
})

test('each part of a rule is asked for, in either direction of the key', t => {
  const v6 = Uint8Array.from(six.corpus.udp6)
  const tag = (frame: Buffer, id: number) =>
    Buffer.concat([frame.subarray(0, 12), Buffer.of(0x81, 0, id >> 8, id & 255), frame.subarray(12)])
  const arp = ethernet({ etherType: EtherType.ARP })
  const there = udp({ from: '10.0.0.1', to: '10.0.0.2', fromPort: 5, toPort: 6 })
  const back = udp({ from: '10.0.0.2', to: '10.0.0.1', fromPort: 6, toPort: 5 })
  const frames = [there, back, tcp({ fromPort: 5, toPort: 6, flags: 'S' }), v6, tag(there, 7), arp]
  const cases: [Omit<FirewallRule, 'action'>, number[]][] = [
    [{}, [0, 1, 2, 3, 4, 5]],
    [{ source: '10.0.0.1' }, [0, 2, 4]],
    [{ source: '10.0.0.2/32' }, [1]],
    [{ destination: '10.0.0.2' }, [0, 2, 4]],
    [{ source: '0.0.0.0/0' }, [0, 1, 2, 4]],
    [{ source: '::/0' }, [3]],
    [{ source: ['2001:db8::/32'], destination: '2001:db8:ff::/48' }, [3]],
    [{ source: '2001:db8:0:1::/64' }, []],
    [{ sourcePort: 5 }, [0, 2, 4]],
    [{ sourcePort: 6 }, [1]],
    [{ destinationPort: '6-7' }, [0, 2, 4]],
    [{ protocol: 'tcp' }, [2]],
    [{ protocol: [6, 'udp'] }, [0, 1, 2, 3, 4]],
    [{ vlan: 7 }, [4]],
    [{ vlan: 0 }, [0, 1, 2, 3, 5]],
    [{ etherType: EtherType.ARP }, [5]],
    [{ from: ['x', 'in'], protocol: 'tcp' }, [2]],
    [{ from: 'out' }, []],
  ]
  for (const [rule, expected] of cases)
    t.deepEqual(
      scene([{ action: 'accept', ...rule }], { stateful: false }).pass('in', ...frames),
      expected,
      JSON.stringify(rule),
    )
})

test('what a guest asked for comes back, and nothing else does', t => {
  const { pass, wait, wall } = scene(OUT)
  t.deepEqual(pass('out', datagram('out'), segment('out', 'S')), [])
  t.deepEqual(pass('in', datagram('in')), [0])
  t.deepEqual(pass('out', datagram('out'), datagram('out', 4001)), [0])
  wait(299_999)
  t.deepEqual(pass('out', datagram('out')), [0], 'answered: for five minutes')
  t.deepEqual(pass('in', datagram('in', 5000)), [0])
  wait(30_000)
  t.deepEqual(pass('out', datagram('out', 5000)), [], 'unanswered: for half a minute')
  wait(300_000)
  t.deepEqual(pass('out', datagram('out')), [])
  t.is(wall.stats.established, 2)
})

test('TCP: only in turn, until both have ended or a reset that is believed; a new SYN is for the rules', t => {
  const { pass, wall, wait } = scene(OUT)
  t.deepEqual(pass('in', segment('in', 'A'), segment('in', 'SA'), segment('in', 'R')), [], 'no first segment')
  t.deepEqual(pass('in', segment('in', 'S'), segment('in', 'S'), segment('in', 'A')), [0, 1])
  t.deepEqual(pass('out', segment('out', 'A'), segment('out', 'S'), segment('out', 'SA')), [2])
  t.is(wall.stats.connections.established, 0, 'half open')
  t.deepEqual(pass('in', segment('in', 'A', { acknowledgement: 1000 })), [0])
  t.is(wall.stats.connections.established, 1)
  t.deepEqual(pass('out', segment('out', 'PA'), segment('out', 'S')), [0])
  wait(7_000_000)
  t.deepEqual(pass('out', segment('out', 'R', { sequence: 99_000_000 })), [0], 'a forged reset passes')
  t.is(wall.stats.connections.established, 1, 'and ends nothing')
  t.deepEqual(pass('in', segment('in', 'FA')), [0])
  t.is(wall.stats.connections.established, 1, 'half closed')
  t.deepEqual(pass('out', segment('out', 'FA')), [0])
  t.is(wall.stats.connections.established, 0)
  t.deepEqual(pass('in', segment('in', 'A')), [0])
  t.deepEqual(pass('out', segment('out', 'S')), [], 'a new connection, the other way')
  t.deepEqual(pass('in', segment('in', 'S')), [0])
  t.deepEqual(wall.stats.dropped, { 'firewall-invalid': 7, 'firewall-policy': 1 })
})

test('a reset at the right place ends a connection', t => {
  const { pass, wall } = scene(OUT)
  pass('in', segment('in', 'S'))
  pass('out', segment('out', 'SA', { sequence: 999 }))
  pass('in', segment('in', 'A', { acknowledgement: 1000 }))
  t.deepEqual(pass('out', segment('out', 'R', { sequence: 1000 })), [0])
  t.is(wall.stats.connections.established, 0)
})

test('a flood of SYNs pushes out no established connection, and a full table takes no new one', t => {
  const { pass, wall } = scene(OUT, { maxConnections: 64 })
  pass('in', segment('in', 'S'))
  pass('out', segment('out', 'SA'))
  pass('in', segment('in', 'A'))
  const flood = (count: number, first: number) =>
    pass(
      'in',
      ...Array.from({ length: count }, (_, i) => segment('in', 'S', { fromPort: 10_000 + first + i })),
    )
  t.is(flood(1000, 0).length, 1000)
  t.deepEqual(wall.stats.connections, { known: 64, established: 1, evicted: 1000 - 63 })
  t.deepEqual(pass('out', segment('out', 'PA')), [0])
  // All of them established: no room, and nobody is cut off.
  const full = scene(OUT, { maxConnections: 4 })
  for (let port = 0; port < 4; port++) {
    full.pass('in', datagram('in', port))
    full.pass('out', datagram('out', port))
  }
  t.deepEqual(full.pass('in', datagram('in', 99), datagram('in', 3)), [1])
  t.deepEqual(full.wall.stats.dropped, { 'firewall-full': 1 })
  full.wait(300_000)
  t.deepEqual(full.pass('in', datagram('in', 99)), [0], 'what has expired makes room')
})

test('an ICMP error about a connection passes, one about another does not', t => {
  const { pass } = scene(OUT)
  pass('in', datagram('in'))
  const error = (about: Buffer, type = 3) =>
    ipv4({
      from: '198.51.100.1',
      to: INSIDE,
      protocol: 1,
      payload: Buffer.concat([Buffer.of(type, 4, 0, 0, 0, 0, 5, 0), about.subarray(14, 42)]),
    })
  t.deepEqual(
    pass(
      'out',
      error(datagram('in')),
      error(datagram('in', 4001)),
      error(datagram('in'), 5),
      error(datagram('in').subarray(0, 40)),
    ),
    [0],
  )
})

test('evasion: headers that are cut off or lie are dropped, whatever the rules say', t => {
  const good = tcp({ toPort: 80, flags: 'S' })
  const tags = (count: number) =>
    Buffer.concat([good.subarray(0, 12), ...Array(count).fill(Buffer.of(0x81, 0, 0, 5)), good.subarray(12)])
  const frames: Record<string, Uint8Array> = {
    ...Object.fromEntries(
      Object.entries(six.lies)
        .filter(
          ([name, [, absent]]) =>
            name !== 'ipv6 fragment of nothing' && ['ipv4', 'ipv6', 'tcp', 'udp'].includes(absent),
        )
        .map(([name, [frame]]) => [name, frame]),
    ),
    'no Ethernet header': Buffer.alloc(13),
    'three tags': tags(3),
    'SYN and FIN': changed(good, 47, 3),
    'no flags': changed(good, 47, 0),
    'a first piece too short for its header': changed(
      ipv4({ protocol: 6, payload: Buffer.alloc(16) }),
      20,
      0x20,
      0,
    ),
    'a piece that overwrites the flags': changed(good, 20, 0, 1),
    'nine extension headers': Uint8Array.from(
      six.ethernet(0x86dd, six.ip6(six.tcp(0), Array(9).fill(six.destinationOptions))),
    ),
  }
  for (const [name, frame] of Object.entries(frames)) {
    const { pass, wall } = scene([{ action: 'accept' }], { policy: 'accept' })
    t.deepEqual([pass('in', frame), wall.stats.dropped], [[], { 'firewall-malformed': 1 }], name)
  }
  t.deepEqual(
    scene([{ action: 'accept', vlan: 5, destinationPort: 80 }]).pass('in', tags(2)),
    [0],
    'two tags hide nothing',
  )
  const behind = Uint8Array.from(
    six.ethernet(0x86dd, six.ip6(six.tcp(0), [six.hopByHop, six.destinationOptions])),
  )
  t.deepEqual(
    scene([{ action: 'drop', destinationPort: 443 }], { policy: 'accept', stateful: false }).pass(
      'in',
      behind,
    ),
    [],
    'extension headers hide nothing',
  )
})

const piece = (frame: Buffer, offset: number, more: boolean, id = 7): Buffer =>
  changed(frame, 18, 0, id, (more ? 0x20 : 0) | (offset >> 11), (offset >> 3) & 0xff)

test('evasion: pieces of a datagram follow its first one, which is judged by its ports', t => {
  const rules: FirewallRule[] = [{ action: 'accept', protocol: 'udp', destinationPort: 53 }]
  const body = 'x'.repeat(40)
  const first = (toPort: number, id: number) => piece(udp({ toPort, payload: body }), 0, true, id)
  const later = (offset: number, id: number, to = '10.0.0.2') =>
    piece(udp({ to, payload: body }), offset, false, id)
  for (const stateful of [true, false]) {
    const { pass, wait } = scene(rules, { stateful })
    t.deepEqual(pass('in', later(48, 1)), [], 'before its first')
    t.deepEqual(pass('in', first(53, 1), later(48, 1), later(96, 1)), [0, 1, 2])
    t.deepEqual(pass('in', first(22, 2), later(48, 2)), [], 'its first was refused')
    t.deepEqual(pass('in', later(48, 3), later(48, 1, '10.0.0.3')), [], 'of another datagram')
    t.deepEqual(pass('in', later(8, 1), later(40, 1)), [], 'over what the first one showed')
    wait(60_000)
    t.deepEqual(pass('in', later(48, 1)), [], 'after a minute')
  }
})

test('evasion: a piece without ports does not get past a rule that drops by ports', t => {
  const drop: FirewallRule[] = [{ action: 'drop', protocol: 'tcp', destinationPort: 22 }]
  const accept = { policy: 'accept' as const, stateful: false }
  const alone = piece(tcp({ toPort: 22, payload: 'x'.repeat(40) }), 48, false)
  t.deepEqual(scene(drop, accept).pass('in', alone, tcp({ toPort: 22 }), tcp({ toPort: 80 })), [2])
  const udpPiece = piece(udp({ payload: 'x'.repeat(40) }), 48, false)
  t.deepEqual(scene(drop, accept).pass('in', udpPiece), [0], 'another protocol')
  // What IPv6 pieces are of is behind more extension headers in the first one.
  const pieceOf = (protocol: number) =>
    Uint8Array.from(
      six.ethernet(
        0x86dd,
        six.ip6({ protocol, bytes: () => new Array(16).fill(0) }, [six.fragmentHeader(6, false)]),
      ),
    )
  t.deepEqual(scene(drop, accept).pass('in', pieceOf(60), pieceOf(6), pieceOf(17)), [2])
})

test('IPv6: pieces follow their first', t => {
  const of = (port: number, offset: number, more: boolean) =>
    Uint8Array.from(
      six.ethernet(
        0x86dd,
        six.ip6(six.udp(new Array(56).fill(1), port), [six.fragmentHeader(offset / 8, more)], all =>
          all.slice(offset ? 32 : 0, offset ? 64 : 32),
        ),
      ),
    )
  const { pass } = scene([{ action: 'accept', protocol: 'udp', destinationPort: 53 }])
  t.deepEqual(pass('in', of(53, 0, true), of(53, 32, false), of(53, 24, false)), [0, 1])
})

test('mutilated frames are judged by nothing but their own bytes, and none that is not sound passes', t => {
  const rules: FirewallRule[] = [
    { action: 'drop', destinationPort: [53, 443], source: ['192.0.2.0/24', '2001:db8::/32'] },
    { action: 'accept', protocol: ['tcp', 'udp', 'icmp', 'icmpv6'] },
  ]
  const make = () => new Firewall(rules, { policy: 'accept', maxConnections: 8, now: () => 0 })
  const [zeros, ones] = [make(), make()]
  fc.assert(
    fc.property(mutilated, frame => {
      const reasons = [zeros, ones].map((wall, i) =>
        withPacket(frame, packet => wall.judge(packet, ''), i * 255),
      )
      t.is(reasons[0], reasons[1])
      if (reasons[0] !== undefined) return
      withPacket(frame, packet => {
        const { etherType, ipv4, ipv6 } = reader.of(packet)
        t.is(etherType === EtherType.IPV4, ipv4 !== undefined)
        t.is(etherType === EtherType.IPV6, ipv6 !== undefined)
        if (ipv4?.isFragment === false && ipv4.protocol === 6) t.truthy(reader.tcp)
        if (ipv4?.isFragment === false && ipv4.protocol === 17) t.truthy(reader.udp)
      })
    }),
    { numRuns: 3000 },
  )
})
const reader = new HeaderReader()

test('rules that are none are refused at once', t => {
  const wrong = (rule: object) => () => firewall([{ action: 'accept', ...rule } as FirewallRule])
  const cases: [object, RegExp][] = [
    [{ action: 'reject' }, /does not "reject"/],
    [{ source: '10.0.0.0/33' }, /not an address or a prefix/],
    [{ source: '10.0.0/8' }, /not an IPv4 address/],
    [{ source: '::/129' }, /not an address or a prefix/],
    [{ destination: '10.0.0.0/' }, /not an address or a prefix/],
    [{ sourcePort: 65536 }, /not a port/],
    [{ destinationPort: '9-8' }, /not a port/],
    [{ destinationPort: '1-2-3' }, /not a port/],
    [{ protocol: 'tpc' }, /not a protocol/],
  ]
  for (const [rule, message] of cases)
    t.throws(wrong(rule), { instanceOf: TypeError, message }, JSON.stringify(rule))
})
