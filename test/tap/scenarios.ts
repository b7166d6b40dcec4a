// What TapPort does on real interfaces, each in a network namespace of its own: run by tap.test.ts as
// `scenarios.js NAME`. One that throws fails.
import { strict as assert } from 'node:assert'
import { once } from 'node:events'
import { mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { dataPlane } from '../../src/data/env.js'
import type { HeldBurst } from '../../src/packet/burst.js'
import { type TapEvent, TapPort } from '../../src/tap/index.js'
import { tcp, udp } from '../../src/testing/index.js'
import { guestBehind, HOST_1, HOST_2, ip, quiet, routed, until } from './support/net.js'

const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-tap-'))

/** From the host behind `one` to that behind `two`. */
const packet = (toOne: string, payload: Uint8Array): Buffer =>
  udp({
    source: '02:00:00:00:00:01',
    destination: toOne,
    from: HOST_1,
    to: HOST_2,
    fromPort: 7,
    toPort: 9,
    payload,
  })
const ETHERNET_IP_UDP = 42
const numbered = (n: number, length: number): Buffer => {
  const payload = Buffer.alloc(length, n)
  payload.writeUInt32BE(n, 0)
  return payload
}

/** The codes and reasons of what is thrown. */
function thrown(make: () => void): string {
  try {
    make()
  } catch (error) {
    const { code, reason, message } = error as { code?: string; reason?: string; message: string }
    return `${code} ${reason ?? ''} ${message}`
  }
  return 'nothing'
}

const fds = (): number => readdirSync('/proc/self/fd').length

export const scenarios: Record<string, () => Promise<void> | void> = {
  async 'frames of all lengths cross the kernel from guest to guest, in order and whole'() {
    const { one, two, toOne } = routed()
    const [a, b] = await Promise.all([one, two].map(tap => guestBehind(tap, folder)))
    const received: Uint8Array[] = []
    b.guest.frames.subscribe(frame => received.push(frame))
    const sent: Buffer[] = []
    // A window at a time: what the kernel's queue has no room for, it drops.
    for (let n = 0; n < 1400; n += 100) {
      for (let i = n; i < n + 100; i++) {
        sent.push(numbered(i, 18 + i))
        while (!a.guest.send(packet(toOne, sent[i]))) await a.guest.room()
      }
      await until(() => received.length === sent.length)
    }
    for (const [i, frame] of received.entries())
      assert.deepEqual(Buffer.from(frame.subarray(ETHERNET_IP_UDP)), sent[i])
    const bytes = sent.reduce((sum, { length }) => sum + length + ETHERNET_IP_UDP, 0)
    for (const { stats } of [one.toHost(), two.fromHost()]) {
      const { packets, bytes: moved, held, drops } = stats
      assert.deepEqual({ packets, bytes: moved, held, drops }, { packets: 1400, bytes, held: 0, drops: {} })
      // Of 18 to 1,417 bytes of payload behind the 14 of Ethernet: see numbered().
      assert.equal(stats.size_64_packets, 1)
    }
    for (const side of [a, b]) side.close()
    assert.equal(dataPlane().pool.leases, 0)
    for (const tap of [one, two]) tap.close()
  },

  async 'a frame to be segmented passes with its header where the receiver takes it, and in segments where not'() {
    const CSUM = 1n
    const HOST_TSO4 = 1n << 11n
    const { one, two, toOne } = routed()
    const a = await guestBehind(one, folder, { features: CSUM | HOST_TSO4, transmitBuffer: 16384 })
    const seen: {
      length: number
      gso: number
      size: number
      flags: number
      timeToLive: number
      good: boolean
    }[] = []
    two.fromHost().packets.subscribe(packet => {
      const { gsoType, gsoSize, flags } = packet.header
      seen.push({
        length: packet.length,
        gso: gsoType,
        size: gsoSize,
        flags,
        timeToLive: packet.uint8(22),
        good: tcpSum(packet.toBuffer()) === 0,
      })
    })
    const whole = tcp({
      source: '02:00:00:00:00:01',
      destination: toOne,
      from: HOST_1,
      to: HOST_2,
      payload: Buffer.alloc(8000, 'x'),
    })
    whole.writeUInt16BE(pseudoSum(whole), 50)
    const header = Buffer.alloc(12)
    header.set([1, 1]) // NEEDS_CSUM, TCPV4
    for (const [i, value] of [54, 1448, 34, 16].entries()) header.writeUInt16LE(value, 2 + 2 * i)
    const send = (): void => assert.ok(a.guest.send(whole, header))

    two.setOffloads(['VIRTIO_NET_F_GUEST_CSUM', 'VIRTIO_NET_F_GUEST_TSO4', 'VIRTIO_NET_F_MRG_RXBUF'])
    send()
    await until(() => seen.length === 1)
    assert.deepEqual(seen, [{ length: 8054, gso: 1, size: 1448, flags: 1, timeToLive: 63, good: false }])

    two.setOffloads([])
    send()
    await until(() => seen.length === 7)
    const segments = seen.slice(1)
    assert.deepEqual(
      segments.map(({ length }) => length),
      [1502, 1502, 1502, 1502, 1502, 54 + 8000 - 5 * 1448],
    )
    assert.ok(segments.every(({ gso, flags, good }) => gso === 0 && flags === 0 && good))
    assert.deepEqual(one.toHost().stats.drops, {})
    a.close()
    for (const tap of [one, two]) tap.close()
  },

  async 'an interface that is down takes nothing, counted; up, it goes on'() {
    quiet()
    const tap = new TapPort('still')
    const a = await guestBehind(tap, folder)
    a.guest.send(udp())
    a.guest.send(udp())
    await until(() => (tap.toHost().stats.drops['link-down'] ?? 0) === 2)
    ip('link set dev still up')
    a.guest.send(udp())
    await until(() => tap.toHost().stats.packets === 1)
    assert.deepEqual(tap.toHost().stats.drops, { 'link-down': 2 })
    a.close()
    tap.close()
  },

  async 'an interface that is deleted under traffic completes its source and is told, and its sink drops'() {
    const { one, two, toOne } = routed()
    const [a, b] = await Promise.all([one, two].map(tap => guestBehind(tap, folder)))
    const events: TapEvent[] = []
    const completed: string[] = []
    one.events.subscribe(event => events.push(event))
    two.events.subscribe({ next: event => events.push(event), complete: () => completed.push('events') })
    two.fromHost().subscribe({ complete: () => completed.push('source') })
    let received = 0
    let running = true
    b.guest.frames.subscribe(() => received++)
    const traffic = (async () => {
      while (running) {
        while (a.guest.send(packet(toOne, numbered(1, 100))));
        b.guest.send(udp())
        await new Promise(resolve => setImmediate(resolve))
      }
    })()
    await until(() => received > 1000)
    ip('link delete two')
    await until(() => completed.length === 2)
    assert.deepEqual(completed, ['source', 'events'])
    assert.deepEqual(events, [
      { type: 'gone', name: 'two', reason: 'EBADFD' },
      { type: 'closed', name: 'two' },
    ])
    await until(() => (two.toHost().stats.drops.gone ?? 0) > 0)
    running = false
    await traffic
    for (const side of [a, b]) side.close()
    one.close()
    two.close()
    assert.equal(dataPlane().pool.leases, 0)
  },

  async 'with nothing subscribed but a sink, a deleted interface is noticed by what is sent'() {
    quiet()
    const tap = new TapPort('alone', { up: true })
    const gone = new Promise<TapEvent>(resolve => tap.events.subscribe(resolve))
    const { driver, guest, close } = await guestBehind(tap, folder)
    ip('link delete alone')
    while (guest.send(udp()));
    assert.equal((await gone).type, 'gone')
    driver.fromGuest()
    close()
  },

  async 'a consumer that holds its packets stops the reading, and loses none of them'() {
    const { one, two, toOne } = routed({ highWaterMark: 8, burst: 4 })
    const a = await guestBehind(one, folder)
    const held: HeldBurst[] = []
    const order: number[] = []
    two.fromHost().subscribe(burst => {
      for (const packet of burst) order.push(packet.uint32(ETHERNET_IP_UDP))
      held.push(burst.retain())
    })
    for (let n = 0; n < 50; n++) a.guest.send(packet(toOne, numbered(n, 100)))
    await until(() => one.toHost().stats.packets === 50)
    await until(() => order.length === 8)
    for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve))
    assert.equal(two.fromHost().stats.held, 8)
    assert.equal(order.length, 8)
    while (order.length < 50 || held.length > 0) {
      for (const burst of held.splice(0)) burst.release()
      await new Promise(resolve => setImmediate(resolve))
    }
    assert.deepEqual(
      order,
      Array.from({ length: 50 }, (_, n) => n),
    )
    a.close()
    for (const tap of [one, two]) tap.close()
    assert.equal(dataPlane().pool.leases, 0)
  },

  'opening and closing leaves neither descriptors nor interfaces'() {
    new TapPort().close()
    const before = fds()
    for (let i = 0; i < 100; i++) {
      const tap = new TapPort()
      assert.match(tap.name, /^tap\d+$/)
      const running = tap.fromHost().subscribe()
      tap.close()
      tap.close()
      assert.ok(running.closed)
    }
    assert.equal(fds(), before)
    assert.doesNotMatch(ip('link'), /tap/)
  },

  'a persistent interface stays, and is opened again by its name'() {
    new TapPort('stays', { persist: true, mtu: 9000 }).close()
    assert.match(ip('link show stays'), /mtu 9000/)
    const again = new TapPort('stays')
    assert.equal(again.name, 'stays')
    again.close()
    ip('link delete stays')
  },

  'an aborted signal closes it'() {
    const end = new AbortController()
    const tap = new TapPort('ends', { signal: end.signal })
    end.abort()
    assert.doesNotMatch(ip('link'), /ends/)
    assert.equal(tap.toHost().stats.packets, 0)
    new TapPort('ends', { signal: AbortSignal.abort() })
    assert.doesNotMatch(ip('link'), /ends/)
  },

  'what can not be opened says why, and what to do'() {
    const tap = new TapPort('busy')
    assert.match(
      thrown(() => new TapPort('busy')),
      /^ERR_VHOST_TAP_FAILED EBUSY .*close the other/,
    )
    assert.match(
      thrown(() => new TapPort('lo')),
      /^ERR_VHOST_TAP_FAILED EINVAL .*not a TAP/,
    )
    assert.match(
      thrown(() => new TapPort('sixteen-letters.')),
      /^ERR_VHOST_INVALID_ARGUMENT .*15/,
    )
    assert.match(
      thrown(() => new TapPort('a/b')),
      /^ERR_VHOST_INVALID_ARGUMENT/,
    )
    assert.match(
      thrown(() => new TapPort('a b')),
      /^ERR_VHOST_INVALID_ARGUMENT/,
    )
    assert.match(
      thrown(() => new TapPort('small', { mtu: 10 })),
      /^ERR_VHOST_TAP_FAILED EINVAL .*MTU of 10/,
    )
    assert.match(
      thrown(() => new TapPort('x', { mtu: 1e6 })),
      /RangeError|mtu must be an integer/,
    )
    assert.match(
      thrown(() => new TapPort('', { fd: openSync('/dev/null', 'r+') })),
      /^ERR_VHOST_TAP_FAILED ENOTTY/,
    )
    assert.match(
      thrown(() => new TapPort('', { fd: openSync('/dev/net/tun', 'r+') })),
      /^ERR_VHOST_TAP_FAILED EBADFD/,
    )
    assert.match(
      thrown(() => new TapPort('', { fd: 3, up: true })),
      /^ERR_VHOST_INVALID_ARGUMENT .*inherited/,
    )
    assert.doesNotMatch(ip('link'), /small/)
    tap.close()
  },

  async 'a worker that ends takes its interfaces with it'() {
    const worker = new Worker(
      `import('${new URL('../../src/tap/index.js', import.meta.url)}').then(({ TapPort }) => {
        new TapPort('worker').fromHost().subscribe()
        require('node:worker_threads').parentPort.postMessage('open')
      })`,
      { eval: true },
    )
    await once(worker, 'message')
    assert.match(ip('link'), /worker/)
    await worker.terminate()
    assert.doesNotMatch(ip('link'), /worker/)
  },

  'without CAP_NET_ADMIN'() {
    assert.match(
      thrown(() => new TapPort('no')),
      /^ERR_VHOST_TAP_FAILED EPERM .*CAP_NET_ADMIN/,
    )
  },

  'without /dev/net/tun'() {
    assert.match(
      thrown(() => new TapPort('no')),
      /^ERR_VHOST_TAP_FAILED ENOENT .*modprobe tun/,
    )
  },

  async 'an fd that was passed'() {
    const tap = new TapPort('', { fd: 3 })
    assert.equal(tap.name, 'passed')
    ip('link set passed up')
    const a = await guestBehind(tap, folder)
    a.guest.send(udp())
    await until(() => tap.toHost().stats.packets === 1)
    a.close()
    tap.close()
    assert.doesNotMatch(ip('link'), /passed/)
  },

  'an fd that has no header'() {
    assert.match(
      thrown(() => new TapPort('', { fd: 3 })),
      /^ERR_VHOST_TAP_FAILED EINVAL .*IFF_VNET_HDR/,
    )
  },
}

const word = (frame: Buffer, at: number): number =>
  at + 1 < frame.length ? frame.readUInt16BE(at) : frame[at] << 8

function folded(sum: number): number {
  let all = sum
  while (all > 0xffff) all = (all >>> 16) + (all & 0xffff)
  return all
}

/** The sum of the pseudo-header of a frame of TCP over IPv4, which stands where the checksum will be. */
function pseudoSum(frame: Buffer): number {
  let sum = 6 + frame.readUInt16BE(16) - 20
  for (let at = 26; at < 34; at += 2) sum += word(frame, at)
  return folded(sum)
}

/** 0 where its checksum is right. */
function tcpSum(frame: Buffer): number {
  let sum = pseudoSum(frame)
  for (let at = 34; at < 14 + frame.readUInt16BE(16); at += 2) sum += word(frame, at)
  return 0xffff - folded(sum)
}

if (process.argv[1] === import.meta.filename) {
  try {
    await scenarios[process.argv[2]]()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
