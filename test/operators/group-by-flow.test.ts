// groupByFlow: who gets what in which order, when groups end, and that no packet is stranded.
import test from 'ava'
import { map, merge, mergeMap, type Observable, type Subscription, take } from 'rxjs'
import { retry } from 'rxjs/operators'
import { type FlowGroup, filterPackets, groupByFlow, tapPackets } from '../../src/operators/index.js'
import type { Burst } from '../../src/packet/burst.js'
import type { Packet } from '../../src/packet/packet.js'
import { fakeFromGuest, fakePlane, marbles, udp } from '../../src/testing/index.js'

const KEYS = ['udp 10.0.0.1:1 > 10.0.0.2:9', 'udp 10.0.0.1:2 > 10.0.0.2:9', 'udp 10.0.0.1:3 > 10.0.0.2:9']
/** Packet number `n` of flow `flow`, 1 to 9. */
const of = (flow: number, n: number): Buffer => udp({ fromPort: flow, payload: Uint8Array.of(n) })
const nameOf = (packet: { uint16(at: number): number; uint8(at: number): number }): string =>
  `${packet.uint16(34)}${'abcdefghijklmnopqrstuvwxyz'[packet.uint8(42)]}`
const namesOf = (item: Burst | Packet): string =>
  Symbol.iterator in item ? [...item].map(nameOf).join(' ') : nameOf(item)

function scene() {
  const plane = fakePlane()
  const { queue, port, source } = fakeFromGuest(plane, { burst: 8 })
  return {
    queue,
    source,
    send: (...frames: Buffer[]): void => {
      port.send(...frames)
      plane.loop.drain()
    },
    leases: () => plane.pool.leases,
    drops: () => queue.stats.drops,
  }
}

/** Each group's emissions, and its end, as `key: what`. */
const told = (source: Observable<FlowGroup>): Observable<string> =>
  source.pipe(
    mergeMap(group => group.pipe(map(burst => `${KEYS.indexOf(String(group.key)) + 1}: ${namesOf(burst)}`))),
  )

test('bursts are split by flow, in order; an idle group completes and begins anew', t => {
  marbles(
    h => {
      const frames = { a: [of(1, 0), of(2, 0), of(1, 1)], b: [of(2, 1)], c: [of(1, 2), of(1, 3)] }
      const { queue } = h.fakeQueue('--a---b---c--|', { frames })
      const groups = queue.pipe(groupByFlow({ idle: 5 }))
      const seen = groups.pipe(
        mergeMap(group => {
          const name = group.key.sourcePort
          return merge(group.pipe(map(burst => `${name}: ${namesOf(burst)}`)))
        }),
      )
      h.expectObservable(seen).toBe('--(xy)b---c--|', {
        x: '1: 1a 1b',
        y: '2: 2a',
        b: '2: 2b',
        c: '1: 1c 1d',
      })
    },
    { equal: t.deepEqual },
  )
})

test('a group completes when it was idle, the others go on; the timer is no longer than they', t => {
  marbles(
    h => {
      const frames = { a: [of(1, 0), of(2, 0)], b: [of(2, 1)] }
      const { queue } = h.fakeQueue('a--b---------', { frames })
      const lives = queue.pipe(
        groupByFlow({ idle: 5 }),
        map(group => group.pipe(map(burst => burst.length))),
      )
      h.expectObservable(lives).toBe('(ab)---------', {
        a: h.cold('a----|', { a: 1 }),
        b: h.cold('a--a----|', { a: 1 }),
      })
    },
    { equal: t.deepEqual },
  )
})

test('both directions are one flow unless they are not to be', t => {
  const there = udp({ from: '10.0.0.1', to: '10.0.0.2', fromPort: 1, toPort: 9 })
  const back = udp({ from: '10.0.0.2', to: '10.0.0.1', fromPort: 9, toPort: 1 })
  for (const directed of [false, true]) {
    const { queue, send } = scene()
    const keys: string[] = []
    queue.pipe(groupByFlow({ directed })).subscribe(group => keys.push(String(group.key)))
    send(back, there, back)
    t.deepEqual(keys, ['udp 10.0.0.2:9 > 10.0.0.1:1', ...(directed ? [KEYS[0]] : [])])
  }
})

test('packets that nobody wants are counted, and leave no lease', t => {
  for (const form of ['bursts', 'packets'] as const) {
    const { queue, send, drops, leases } = scene()
    const items: Observable<Burst | Packet> = form === 'bursts' ? queue : queue.packets
    const seen: string[] = []
    items.pipe(groupByFlow<Burst | Packet>()).subscribe(group => {
      if (group.key.sourcePort === 1) group.pipe(take(1)).subscribe(item => seen.push(namesOf(item)))
    })
    send(of(1, 0), of(2, 0), of(2, 1))
    send(of(1, 1))
    t.deepEqual([seen, drops(), leases()], [['1a'], { unsubscribed: 3 }, 0])
  }
})

test('one flow more than there may be: the one unused for longest completes, also within one burst', t => {
  for (const form of ['bursts', 'packets'] as const) {
    const { queue, source, send, leases } = scene()
    const items: Observable<Burst | Packet> = form === 'bursts' ? queue : queue.packets
    const seen: string[] = []
    items.pipe(groupByFlow<Burst | Packet>({ maxFlows: 2 })).subscribe(group => {
      const name = group.key.sourcePort
      seen.push(`+${name}`)
      group.subscribe({ next: item => seen.push(namesOf(item)), complete: () => seen.push(`-${name}`) })
    })
    send(of(1, 0), of(2, 0), of(1, 1), of(3, 0), of(2, 1), of(1, 2))
    source.close()
    const bursts = ['+1', '1a 1b', '-1', '+2', '2a', '-2', '+3', '3a', '+2', '2b', '+1', '1c']
    const packets = ['+1', '1a', '+2', '2a', '1b', '-2', '+3', '3a', '-1', '+2', '2b', '-3', '+1', '1c']
    t.deepEqual(
      seen.slice(0, form === 'bursts' ? bursts.length : packets.length),
      form === 'bursts' ? seen.slice(0, bursts.length) : packets,
    )
    t.deepEqual(
      seen.filter(what => what.startsWith('+')).length,
      seen.filter(what => what.startsWith('-')).length,
    )
    // In order within each flow, whatever group they came in.
    for (const flow of ['1', '2', '3']) {
      const got = seen
        .filter(what => /^\d/.test(what))
        .join(' ')
        .split(' ')
        .filter(name => name[0] === flow)
      t.deepEqual(got, [...got].sort())
    }
    t.is(leases(), 0)
  }
})

test('swapped inside the part of any flow: what no group was given goes to the next subscription, and none comes twice', t => {
  for (const who of [1, 2, 3]) {
    const { queue, send, drops, leases } = scene()
    const got: string[] = []
    let running: Subscription | undefined
    const start = (): Subscription =>
      queue
        .pipe(
          groupByFlow(),
          mergeMap(group => group.pipe(tapPackets(packet => got.push(nameOf(packet))))),
        )
        .subscribe(burst => {
          if (burst.packet(0).uint16(34) === who) running?.unsubscribe()
        })
    for (let i = 0; i < 6; i++) {
      running = start()
      const frames = Array.from({ length: 8 }, (_, j) => of(1 + ((i * 8 + j) % 3), (i * 8 + j) / 3))
      if (i < 3) send(...frames)
      else send()
      running.unsubscribe()
    }
    running = undefined
    start()
    send()
    const expected = Array.from({ length: 24 }, (_, i) => nameOfFrame(of(1 + (i % 3), i / 3)))
    for (const flow of ['1', '2', '3'])
      t.deepEqual(
        got.filter(name => name[0] === flow),
        expected.filter(name => name[0] === flow),
        `${who}`,
      )
    t.deepEqual([drops(), leases()], [{}, 0])
  }
})

const nameOfFrame = (frame: Buffer): string =>
  nameOf({ uint16: at => frame.readUInt16BE(at), uint8: at => frame.readUInt8(at) })

test('a flow’s pipeline fails at any packet: retry goes on with what no group was given', t => {
  const { queue, send, drops, leases } = scene()
  const bad = ['1a', '2b', '3c', '1d', '3e']
  const got: string[] = []
  queue
    .pipe(
      groupByFlow(),
      mergeMap(group =>
        group.pipe(
          filterPackets(packet => {
            if (bad.includes(nameOf(packet))) throw new Error('flow')
            return true
          }),
          tapPackets(packet => got.push(nameOf(packet))),
        ),
      ),
      retry(),
    )
    .subscribe()
  const all = Array.from({ length: 24 }, (_, i) => of(1 + (i % 3), i / 3))
  send(...all)
  t.deepEqual(
    got.sort(),
    all
      .map(nameOfFrame)
      .filter(name => !bad.includes(name))
      .sort(),
  )
  t.is(drops()['pipeline-error'], bad.length)
  t.is(leases(), 0)
})

test('one flow’s pipeline ends inside its part: what it missed is counted, the other flows miss nothing', t => {
  const { queue, send, drops, leases } = scene()
  const got: string[] = []
  queue.pipe(groupByFlow()).subscribe(group => {
    const own: Subscription = group
      .pipe(
        tapPackets(packet => {
          if (nameOf(packet) === '1b') own.unsubscribe()
        }),
      )
      .subscribe(burst => got.push(namesOf(burst)))
  })
  send(of(1, 0), of(1, 1), of(2, 0), of(1, 2), of(2, 1))
  t.deepEqual(got, ['2a 2b'])
  t.deepEqual([drops(), leases()], [{ unsubscribed: 3 }, 0])
})

test('the source stays subscribed while a group is, and new flows are then dropped', t => {
  const { queue, send, drops } = scene()
  const got: string[] = []
  let flow: Subscription | undefined
  const outer = queue.pipe(groupByFlow()).subscribe(group => {
    flow = group.subscribe(burst => got.push(namesOf(burst)))
  })
  send(of(1, 0))
  outer.unsubscribe()
  send(of(1, 1), of(2, 0))
  t.deepEqual([got, drops()], [['1a', '1b'], { unsubscribed: 1 }])
  flow?.unsubscribe()
  send(of(1, 2))
  t.is(queue.stats.packets, 3, 'nobody takes packets from the guest')
})

test('groups end as the source does, also for who comes late', t => {
  const { queue, source, send } = scene()
  const seen: string[] = []
  const groups: FlowGroup[] = []
  queue.pipe(groupByFlow()).subscribe({ next: group => groups.push(group), complete: () => seen.push('all') })
  send(of(1, 0))
  groups[0].subscribe({ complete: () => seen.push('1') })
  source.close()
  groups[0].subscribe({ complete: () => seen.push('late') })
  t.deepEqual(seen, ['1', 'all', 'late'])
})

test('two subscriptions of one operator have groups of their own', t => {
  const { queue, send, leases } = scene()
  const seen: string[] = []
  const groups = told(queue.pipe(groupByFlow()))
  groups.subscribe(what => seen.push(what))
  groups.subscribe(what => seen.push(what))
  send(of(1, 0), of(2, 0), of(1, 1))
  t.deepEqual(seen, ['1: 1a 1b', '2: 2a', '1: 1a 1b', '2: 2a'])
  t.is(leases(), 0)
})

test('an idle time that is none is refused', t => {
  t.throws(() => groupByFlow({ idle: 0 }), { instanceOf: RangeError, message: /idle is more than 0/ })
})
