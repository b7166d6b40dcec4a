// DPDK's virtio-user ports as front ends of the examples: one sends, another receives, a third sees a mirror. testpmd's
// own counters must agree with the example's, packet by packet.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { needing } from '../support/needs.js'
import {
  type BackEnd,
  type PortCounts,
  type StartBackEnd,
  startForward,
  startMirror,
  startSwitch,
} from './support/back-ends.js'
import { reserveHugepages } from './support/hugepages.js'
import { Testpmd, virtioUser } from './support/testpmd.js'

interface Outcome {
  /** What the sender's port put into its ring. */
  sent: number
  /** What each receiver's port took out of its ring. */
  received: number[]
  /** What the sender's port counted in its ring, and each receiver's. */
  counters: { sent: Record<string, number>; received: Record<string, number>[] }
  ports: PortCounts[]
}

const sum = (counts: Record<string, number>): number => Object.values(counts).reduce((a, b) => a + b, 0)

/** Sends through the back end from the first of `count` ports until ten thousand have reached the second. */
async function sendThrough(
  t: ExecutionContext,
  startBackEnd: StartBackEnd,
  count: number,
  hugepages: boolean,
): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'rxvhost-dpdk-'))
  const paths = ['a.sock', 'b.sock', 'monitor.sock'].slice(0, count).map(name => join(folder, name))
  const running: Testpmd[] = []
  let backEnd: BackEnd | undefined
  try {
    backEnd = await startBackEnd(paths)
    const start = async (path: string, mode: 'txonly' | 'rxonly'): Promise<Testpmd> => {
      // Two lengths make a packet of two segments, so a chain of descriptors.
      const extra = mode === 'txonly' ? [hugepages ? '--txpkts=64' : '--txpkts=64,256'] : []
      const testpmd = await Testpmd.start({ devices: [virtioUser(0, path)], mode, hugepages, extra })
      running.push(testpmd)
      return testpmd
    }
    const receivers: Testpmd[] = []
    for (const path of paths.slice(1)) {
      receivers.push(await start(path, 'rxonly'))
      await receivers.at(-1)!.forward()
    }
    const sender = await start(paths[0]!, 'txonly')
    await sender.forward()
    await receivers[0]!.hasReceived(10_000)
    const sent = (await sender.stopForwarding())[0]!
    // The sender's port is still up: what stands in its ring is taken before anything is torn down.
    const received: number[] = []
    for (const receiver of receivers) received.push(await receiver.atRest())
    const counters: Outcome['counters'] = { sent: await sender.queueCounters(0, 'tx'), received: [] }
    for (const receiver of receivers) counters.received.push(await receiver.queueCounters(0, 'rx'))
    for (const testpmd of running) await testpmd.stop()
    const ports = await backEnd.stop()
    backEnd = undefined
    t.log(
      `sent ${sent.txPackets} (testpmd itself dropped ${sent.txDropped}), received ${received.join(' and ')}`,
    )
    t.log(JSON.stringify(ports))
    return { sent: sent.txPackets, received, counters, ports }
  } finally {
    await Promise.allSettled(running.map(testpmd => testpmd.stop()))
    await backEnd?.stop().catch(() => {})
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Every packet that a port was meant to get was enqueued, or counted as dropped with a reason. */
function portAgrees(t: ExecutionContext, port: PortCounts, offered: number, received: number): void {
  t.is(port.sent, received, `${port.path}: all that was enqueued arrived`)
  t.is(port.sent + sum(port.dropped), offered, `${port.path}: what did not arrive is counted with its reason`)
}

/** Each counter of testpmd's driver has its like under the same name: sizes, groups, packets and bytes. */
function countersAgree(t: ExecutionContext, { counters, ports }: Outcome): void {
  const [sender, ...receivers] = ports.map(port => port.stats)
  // DPDK's own vhost ports, which RX_VHOST_BACK_END may put here, are not asked.
  if (sender === undefined) return
  const of = (stats: Record<string, number>, like: Record<string, number>): Record<string, number> =>
    Object.fromEntries(Object.keys(like).map(name => [name, stats[name]!]))
  t.true(Object.keys(counters.sent).length >= 12, 'testpmd tells of sizes and groups')
  t.deepEqual(of(sender.fromGuest, counters.sent), counters.sent)
  for (const [n, stats] of receivers.entries()) {
    const received = counters.received[n]!
    t.deepEqual(of(stats!.toGuest, received), received)
  }
}

const pages = reserveHugepages(3 * 256)
test.after.always(() => pages.restore())

for (const hugepages of [false, true]) {
  const memory = hugepages ? 'on hugepages' : 'without hugepages'
  const run = needing({
    of: 'virtio-user on hugepages',
    missing: () => (hugepages ? pages.missing : undefined),
  })

  run(`virtio-user ${memory}: a port-to-port forward delivers or counts every packet`, async t => {
    const outcome = await sendThrough(t, startSwitch, 2, hugepages)
    const { sent, received, ports } = outcome
    countersAgree(t, outcome)
    t.is(ports[0]!.received, sent, 'all that the port sent was dequeued')
    portAgrees(t, ports[1]!, sent, received[0]!)
  })

  run(`virtio-user ${memory}: plain burst calls deliver every packet`, async t => {
    const outcome = await sendThrough(t, startForward, 2, hugepages)
    const { sent, received, ports } = outcome
    countersAgree(t, outcome)
    t.is(ports[0]!.received, sent, 'all that the port sent was dequeued')
    t.is(received[0], sent, 'and all of it arrived')
  })

  run(
    `virtio-user ${memory}: a mirror gives a third port its copy, and counts what it had no room for`,
    async t => {
      const outcome = await sendThrough(t, startMirror, 3, hugepages)
      const { sent, received, ports } = outcome
      countersAgree(t, outcome)
      t.is(ports[0]!.received, sent, 'all that the port sent was dequeued')
      portAgrees(t, ports[1]!, sent, received[0]!)
      portAgrees(t, ports[2]!, sent, received[1]!)
    },
  )
}
