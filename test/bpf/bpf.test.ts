// Filter expressions as predicates: of frames, packets and bursts; what they cost and when they go; and what libpcap's
// interpreter does with frames that end anywhere. Beside tcpdump they are in test/interop.
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { Observable, tap } from 'rxjs'
import { native } from '../../src/addon/native.js'
import { bpf } from '../../src/bpf/index.js'
import { capture, PcapngWriter } from '../../src/capture/index.js'
import { HeaderReader, TcpFlag } from '../../src/headers/index.js'
import {
  Firewall,
  filterPackets,
  firewall,
  mapPackets,
  partitionPackets,
  tapPackets,
} from '../../src/operators/index.js'
import type { Burst } from '../../src/packet/burst.js'
import { JUDGE } from '../../src/packet/predicate.js'
import { fakeFromGuest, fakePlane, tcp, udp } from '../../src/testing/index.js'
import { corpus } from '../headers/support/corpus.js'
import { forms, withPacket } from '../headers/support/packets.js'
import { needing } from '../support/needs.js'

const filtering = needing({
  of: 'filters (libpcap)',
  missing() {
    try {
      bpf('')
      return undefined
    } catch {
      return 'apt-get install libpcap0.8'
    }
  },
})

const reader = new HeaderReader()

/** Long enough to be padded by nothing: its last byte is its number. */
const payload = (n: number): Uint8Array => new Uint8Array(32).fill(n)
const web = (n: number): Uint8Array => tcp({ toPort: 443, payload: payload(n) })
const dns = (n: number): Uint8Array => udp({ toPort: 53, payload: payload(n) })
const last = (burst: Burst): number[] => [...burst].map(packet => packet.uint8(packet.length - 1))

/** Calls of the addon's function for bursts, while `body` runs. */
function countingCalls(body: () => void): number {
  const addon = native()
  const original = addon.bpfFilter
  let calls = 0
  addon.bpfFilter = (...args) => {
    calls++
    original(...args)
  }
  try {
    body()
  } finally {
    addon.bpfFilter = original
  }
  return calls
}

filtering('an expression can be tried on frames without a device', t => {
  const filter = bpf('tcp port 443 and net 192.0.2.0/24')
  t.is(filter.expression, 'tcp port 443 and net 192.0.2.0/24')
  t.true(filter.matches(corpus.tcp))
  t.false(filter.matches(corpus.udp))
  t.false(filter.matches(new Uint8Array(0)))
  t.true(bpf('').matches(corpus.arp))
  t.true(bpf('vlan and tcp').matches(corpus['tcp, tag']))
})

for (const [name, gsoType, lengthAt, protocol, destinationPort] of [
  ['tcp', 1, 14 + 2, 'tcp', 443],
  ['tcp6', 4, 14 + 4, 'tcp', 443],
  ['udp', 3, 14 + 2, 'udp', 53],
  ['udp', 3, 14 + 20 + 4, 'udp', 53],
] as const)
  for (const length of [0, 44])
    filtering(
      `${name} to be segmented, with ${length} at byte ${lengthAt}: filter, reader and firewall agree`,
      t => {
        const bytes = Uint8Array.from(corpus[name])
        // A SYN, because a firewall drops a segment that belongs to no connection.
        const expected = withPacket(bytes, packet => {
          const { tcp, udp } = reader.of(packet)
          if (tcp) bytes[tcp.offset + 13] = TcpFlag.SYN
          return (tcp ?? udp)?.payloadLength
        })
        new DataView(bytes.buffer).setUint16(lengthAt, length)
        const plane = fakePlane()
        const { queue, port } = fakeFromGuest(plane)
        const found: unknown[] = []
        queue
          .pipe(
            mapPackets(packet => {
              packet.header.gsoType = gsoType
            }),
            filterPackets(bpf(`${protocol} port ${destinationPort}`)),
            tapPackets(packet => void found.push(reader.of(packet)[protocol]?.payloadLength)),
            firewall(new Firewall([{ action: 'accept', protocol, destinationPort }]), { from: 'guest' }),
          )
          .subscribe(burst => found.push(`${burst.length} accepted`))
        port.send(bytes)
        plane.loop.drain()
        t.deepEqual(found, [expected, '1 accepted'])
        t.deepEqual(queue.stats.drops, {})
      },
    )

filtering('a packet of every form is judged as its frame is', t => {
  const filter = bpf('udp or vlan')
  for (const [name, use] of Object.entries(forms))
    for (const [frame, bytes] of Object.entries(corpus))
      use(bytes, packet => t.is(filter(packet as never), filter.matches(bytes), `${name}: ${frame}`))
})

filtering('filterPackets judges a burst by one native call', t => {
  const plane = fakePlane()
  const { queue, port } = fakeFromGuest(plane)
  const seen: number[][] = []
  queue.pipe(filterPackets(bpf('tcp port 443'))).subscribe(burst => seen.push(last(burst)))
  port.send(...Array.from({ length: 64 }, (_, i) => (i % 3 === 0 ? web(i) : dns(i))))
  const calls = countingCalls(() => plane.loop.drain())
  t.deepEqual(seen, [Array.from({ length: 22 }, (_, i) => 3 * i)])
  t.is(calls, 1)
  t.is(plane.pool.leases, 0)
})

filtering('a burst behind another operator, and single packets', t => {
  const plane = fakePlane()
  const { queue, port } = fakeFromGuest(plane)
  const seen: number[] = []
  const singles: number[] = []
  const odd = filterPackets<Burst>(packet => packet.uint8(packet.length - 1) % 2 === 1)
  queue.pipe(odd, filterPackets(bpf('udp'))).subscribe(burst => seen.push(...last(burst)))
  queue.packets
    .pipe(filterPackets(bpf('udp')))
    .subscribe(packet => singles.push(packet.uint8(packet.length - 1)))
  port.send(web(0), dns(1), dns(2), web(3), dns(5))
  plane.loop.drain()
  t.deepEqual(seen, [1, 5])
  t.deepEqual(singles, [1, 2, 5])
  t.is(plane.pool.leases, 0)
})

filtering('partitionPackets splits by one native call a burst', t => {
  const plane = fakePlane()
  const { queue, port } = fakeFromGuest(plane)
  const [tcpSide, others] = partitionPackets(queue, bpf('tcp'))
  const seen: [string, number[]][] = []
  tcpSide.subscribe(burst => seen.push(['tcp', last(burst)]))
  others.subscribe(burst => seen.push(['others', last(burst)]))
  port.send(web(0), dns(1), dns(2), web(3))
  const calls = countingCalls(() => plane.loop.drain())
  t.deepEqual(seen, [
    ['tcp', [0, 3]],
    ['others', [1, 2]],
  ])
  t.is(calls, 1)
  t.is(plane.pool.leases, 0)
})

filtering('capture takes an expression as its filter, and the path gets all packets', async t => {
  const plane = fakePlane()
  const { queue, port } = fakeFromGuest(plane)
  const chunks: Buffer[] = []
  const { Writable } = await import('node:stream')
  const to = new Writable({
    write(chunk, _, done) {
      chunks.push(chunk)
      done()
    },
  })
  const writer = new PcapngWriter(to)
  let path = 0
  const running = queue
    .pipe(
      capture(writer, { filter: bpf('udp port 53') }),
      tap(burst => {
        path += burst.length
      }),
    )
    .subscribe()
  port.send(web(0), dns(1), dns(2), web(3))
  const calls = countingCalls(() => plane.loop.drain())
  running.unsubscribe()
  await writer.finished()
  t.is(path, 4)
  t.is(calls, 1)
  t.like(writer.stats, { packets: 2, filtered: 2 })
  const file = Buffer.concat(chunks)
  t.true(file.includes(Buffer.from(dns(1))))
  t.false(file.includes(Buffer.from(web(0))))
})

filtering('a subscriber that leaves inside a burst leaves the rest to the next one', t => {
  const plane = fakePlane()
  const { queue, port } = fakeFromGuest(plane)
  const packets = (): Observable<number> =>
    new Observable(subscriber =>
      queue.pipe(filterPackets(bpf('udp'))).subscribe(burst => {
        for (const n of last(burst)) subscriber.next(n)
      }),
    )
  const seen: number[] = []
  const one = packets().subscribe(n => {
    seen.push(n)
    one.unsubscribe()
  })
  port.send(web(0), dns(1))
  plane.loop.drain()
  port.send(dns(2))
  packets().subscribe(n => seen.push(n))
  plane.loop.drain()
  t.deepEqual(seen, [1, 2])
})

filtering('an expression that is none is an error with its words and its text', t => {
  const error = t.throws(() => bpf('tcp prot 443'), { code: 'ERR_VHOST_FILTER_INVALID' })
  t.regex(
    error?.message ?? '',
    /the filter "tcp prot 443" is not understood \(.*syntax error.*pcap-filter\(7\)/,
  )
  t.throws(() => bpf('tcp\0 port 443'), { code: 'ERR_VHOST_FILTER_INVALID', message: /zero byte/ })
  t.throws(() => bpf('vlan 99999'), { code: 'ERR_VHOST_FILTER_INVALID' })
  t.throws(() => bpf('ip broadcast'), { code: 'ERR_VHOST_FILTER_INVALID', message: /netmask/ })
  t.throws(() => bpf('inbound'), { code: 'ERR_VHOST_FILTER_INVALID', message: /direction/ })
  t.throws(() => bpf(443 as never), { instanceOf: TypeError })
})

test.serial('without libpcap the error names the package', t => {
  const script = `
    import { bpf } from '${new URL('../../src/bpf/index.js', import.meta.url)}'
    try { bpf('tcp') } catch ({ code, message }) { console.log(code, message) }`
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...process.env, RX_VHOST_LIBPCAP: '/nonexistent/libpcap.so' },
    encoding: 'utf8',
  })
  t.regex(stdout, /^ERR_VHOST_LIBPCAP_MISSING .*\/nonexistent\/libpcap\.so.*apt-get install libpcap0\.8/)
})

/** What a process says of the libpcap that it used: its path or nothing, and verdicts on the frames of the corpus. */
function useOf(libpcap: string): { mapped: string | null; verdicts: string[] } {
  const script = `
    import { readFileSync } from 'node:fs'
    import { bpf } from '${new URL('../../src/bpf/index.js', import.meta.url)}'
    const frames = ${JSON.stringify(Object.values(corpus).map(frame => [...frame]))}.map(frame => Uint8Array.from(frame))
    const verdicts = ['tcp', 'udp port 53', 'vlan and tcp', 'icmp or arp', 'ip[8] > 10'].map(expression =>
      frames.map(frame => Number(bpf(expression).matches(frame))).join(''))
    const [mapped] = /\\S*\\/libpcap\\.so\\S*/.exec(readFileSync('/proc/self/maps', 'utf8')) ?? [null]
    console.log(JSON.stringify({ mapped, verdicts }))`
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...process.env, RX_VHOST_LIBPCAP: libpcap },
    encoding: 'utf8',
  })
  return stdout ? JSON.parse(stdout) : { mapped: null, verdicts: [] }
}

const SHARED = 'libpcap.so.0.8'
const loading = needing({
  of: 'filters by a shared libpcap',
  missing: () => (useOf(SHARED).mapped ? undefined : 'apt-get install libpcap0.8'),
})

loading('RX_VHOST_LIBPCAP names a shared libpcap, which says the same', t => {
  const { mapped, verdicts } = useOf(SHARED)
  t.regex(mapped ?? '', /libpcap\.so/)
  t.deepEqual(verdicts, useOf('').verdicts)
  t.true(verdicts.every(verdict => /1/.test(verdict)))
})

filtering('a program goes with its filter, and stays while an operator has it', async t => {
  const collect = async (until: () => boolean): Promise<void> => {
    for (let i = 0; i < 100 && !until(); i++) {
      global.gc?.()
      await setImmediate()
    }
  }
  await collect(() => native().bpfCount() === 0)
  const before = native().bpfCount()
  for (let i = 0; i < 1000; i++) bpf(`udp port ${i + 1}`)
  await collect(() => native().bpfCount() === before)
  t.is(native().bpfCount(), before)

  const plane = fakePlane()
  const { queue, port } = fakeFromGuest(plane)
  const seen: number[] = []
  const judge = bpf('tcp')[JUDGE]
  const running = queue.pipe(filterPackets(bpf('udp'))).subscribe(burst => seen.push(...last(burst)))
  await collect(() => native().bpfCount() < before + 2)
  port.send(web(0), dns(1))
  plane.loop.drain()
  t.deepEqual(seen, [1])
  t.is(native().bpfCount(), before + 2)
  t.is(typeof judge, 'function')
  running.unsubscribe()
})

filtering('frames that end anywhere are judged within their bytes', t => {
  const filters = [
    ...[
      'tcp port 443',
      'udp[8:4] = 1',
      'ip6 protochain 6',
      'vlan and vlan and tcp',
      'geneve',
      'icmp[icmptype] = 8',
    ],
    ...[
      'ip[ip[2:2]] = 7',
      'ether[len - 4:4] = 0',
      'ip6[6] = 6',
      'tcp[((tcp[12]&0xf0)>>2):4] = 0',
      'ether[4294967295] = 1',
    ],
  ].map(expression => bpf(expression))
  let matched = 0
  for (const frame of Object.values(corpus))
    for (let length = 0; length <= frame.length; length++) {
      // Memory of its own, so that a sanitizer sees what is read behind its end.
      const own = new Uint8Array(new ArrayBuffer(length))
      own.set(frame.subarray(0, length))
      for (const filter of filters) if (filter.matches(own)) matched++
    }
  t.true(matched > 100)
})

filtering('metadata outside the pool matches nothing', t => {
  const addon = native()
  const program = addon.bpfCompile('') as number
  const bytes = new Uint8Array(100)
  const meta = Uint32Array.of(
    90,
    11,
    0,
    1,
    0,
    0,
    0,
    0,
    0xffffffff,
    0xffffffff,
    0,
    1,
    0,
    0,
    0,
    0,
    0,
    100,
    0,
    1,
    0,
    0,
    0,
    0,
  )
  const verdicts = new Uint8Array(8).fill(7)
  addon.bpfFilter(program, bytes, meta, Uint32Array.of(0, 1, 2, 3, 0x7fffffff, 0xffffffff), 6, verdicts)
  t.deepEqual([...verdicts], [0, 0, 1, 0, 0, 0, 7, 7])
  addon.bpfFilter(program, bytes, meta, Uint32Array.of(2, 2), 100, verdicts)
  t.deepEqual([...verdicts], [1, 1, 1, 0, 0, 0, 7, 7], 'no more slots than there are')
  addon.bpfFilter(program, bytes, meta, Uint32Array.of(2), 1, new Uint8Array(0))
  addon.bpfFilter(program + 1, bytes, meta, Uint32Array.of(2), 1, verdicts)
  t.is(verdicts[0], 0, 'a program that is none')
  addon.bpfFree(program)
})

filtering('several threads compile and judge at one time', async t => {
  const script = `
    import { bpf } from '${new URL('../../src/bpf/index.js', import.meta.url)}'
    const frame = Uint8Array.from(${JSON.stringify([...corpus.tcp])})
    let right = 0
    for (let i = 1; i <= 300; i++) {
      const port = i % 2 ? 443 : i
      if (bpf('tcp port ' + port + ' and net 192.0.2.0/24').matches(frame) === (port === 443)) right++
    }
    if (right !== 300) throw new Error('only ' + right)`
  const url = new URL(`data:text/javascript,${encodeURIComponent(script)}`)
  const workers = Array.from({ length: 4 }, () => new Worker(url))
  const codes = await Promise.all(workers.map(worker => once(worker, 'exit').then(([code]) => code)))
  t.deepEqual(codes, [0, 0, 0, 0])
})
