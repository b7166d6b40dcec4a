// What two guests joined by a back end must be able to do. Each step takes a running pair, whatever stands between
// the guests, and throws or asserts; the tests put them together.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { BackEnd, PortCounts, StartBackEnd } from './back-ends.js'
import { guestImage } from './guest-image.js'
import { Guest, type QemuBuild } from './qemu.js'

export interface Pair {
  a: Guest
  b: Guest
  backEnd: BackEnd
}

export interface PairOptions {
  qemu: QemuBuild
  startBackEnd: StartBackEnd
  device?: string
  legacy?: boolean
}

/** Boots two guests at one back end, runs the body, takes everything down, and compares the back end's counts. */
export async function withPair(
  t: ExecutionContext,
  options: PairOptions,
  body: (pair: Pair) => Promise<void>,
): Promise<void> {
  const image = guestImage()
  const folder = mkdtempSync(join(tmpdir(), 'rxvhost-qemu-'))
  const paths = ['a.sock', 'b.sock'].map(name => join(folder, name))
  const guests: Guest[] = []
  let backEnd: BackEnd | undefined
  let counts: PortCounts[] | undefined
  try {
    backEnd = await timed(t, 'the back end starts', () => options.startBackEnd(paths))
    const start = (path: string, i: number): Promise<unknown> =>
      Guest.start({ ...options, image, path, folder, number: i + 1 }).then(guest => {
        guests[i] = guest
      })
    const started = await timed(t, 'both guests boot', () => Promise.allSettled(paths.map(start)))
    for (const result of started) if (result.status === 'rejected') throw result.reason
    await body({ a: guests[0]!, b: guests[1]!, backEnd })
  } finally {
    await Promise.allSettled(guests.map(guest => guest?.stop()))
    counts = await backEnd?.stop().finally(() => rmSync(folder, { recursive: true, force: true }))
  }
  t.log(JSON.stringify(counts))
  for (const [from, to] of [
    [0, 1],
    [1, 0],
  ]) {
    const { sent, dropped } = counts![to!]!
    const all = Object.values(dropped).reduce((sum, count) => sum + count, sent)
    t.is(
      all,
      counts![from!]!.received,
      'each frame out of one guest reached the other or was counted as dropped',
    )
  }
}

/** Runs a step, and logs how long it took. */
export async function timed<T>(t: ExecutionContext, what: string, step: () => Promise<T>): Promise<T> {
  const start = performance.now()
  const result = await step()
  t.log(`${what}: ${((performance.now() - start) / 1000).toFixed(1)} s`)
  return result
}

export async function pingBothWays({ a, b }: Pair): Promise<void> {
  // The first echo may be lost while the other side's link is still coming up: `-w` ends it at the count or deadline.
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const)
    await from.shell.must(`ping -c 3 -w 20 ${to.address}`)
}

export interface Headers {
  frames: number
  needsChecksum: number
  dataValid: number
  tcp4: number
  tcp6: number
  otherGso: number
  longest: number
}

interface Stream {
  bytes: number
  sha256: string
}

/** Sends a TCP stream; both ends hash it. Gives the headers of the frames that reached the receiver. */
export async function transfer(t: ExecutionContext, from: Guest, to: Guest, bytes: number): Promise<Headers> {
  await to.shell.must('rm -f /tmp/received /tmp/headers')
  await to.shell.must('agent headers eth0 >/tmp/headers 2>&1 & echo $! >/tmp/headers.pid')
  await to.shell.must('(agent receive 5001 >/tmp/part 2>&1; mv /tmp/part /tmp/received) &')
  const sent: Stream = JSON.parse(
    await timed(t, `TCP ${bytes >> 20} MiB from ${from.address} to ${to.address}`, () =>
      from.shell.must(`agent send ${to.address} 5001 ${bytes} ${from.options.number}`, 400_000),
    ),
  )
  const arrived = await to.shell.must(
    'while [ ! -e /tmp/received ]; do usleep 20000; done; cat /tmp/received',
  )
  const received: Stream = JSON.parse(arrived)
  t.is(received.bytes, bytes)
  t.is(received.sha256, sent.sha256, 'the stream arrived as it was sent')
  await to.shell.must('kill -TERM $(cat /tmp/headers.pid)')
  return JSON.parse(
    await to.shell.must('while [ ! -s /tmp/headers ]; do usleep 20000; done; cat /tmp/headers'),
  )
}

/** A transfer each way; the receiver's headers must show that checksum and segmentation offload came through. */
export async function transferBothWays(t: ExecutionContext, { a, b }: Pair, bytes: number): Promise<void> {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    const headers = await transfer(t, from, to, bytes)
    t.log(JSON.stringify(headers))
    t.true(headers.needsChecksum > headers.frames / 2, 'frames arrived with NEEDS_CSUM')
    t.true(headers.tcp4 > 0, 'frames arrived with GSO_TCPV4')
    t.true(headers.longest > 1514, 'frames longer than the MTU arrived')
  }
}

/** The guest resets itself; the back end goes on, and the guest's link comes back. */
export async function reboot(guest: Guest): Promise<void> {
  const { boots } = guest.shell
  await guest.shell.begin('reboot -f')
  await guest.shell.booted(boots + 1)
}

/** The guest's driver lets go of the device and takes it again. */
export async function rebindDriver(guest: Guest): Promise<void> {
  const { shell } = guest
  const driver = '/sys/bus/virtio/drivers/virtio_net'
  const device = await shell.must(`basename $(echo ${driver}/virtio*)`)
  await shell.must(`echo ${device} >${driver}/unbind`)
  await shell.must('test ! -e /sys/class/net/eth0')
  await shell.must(`echo ${device} >${driver}/bind`)
  await shell.must('net-up')
}
