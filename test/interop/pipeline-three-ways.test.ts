// The same pipeline, written once, in virtual time, between embedded guests, and between DPDK's virtio-user ports: the
// same frames come out, byte for byte and in order. testpmd sends a capture file and keeps what it receives in others.
import { join } from 'node:path'
import test from 'ava'
import {
  allReady,
  expected,
  type Outcome,
  outcomeOf,
  throughGuests,
  throughMarbles,
  traffic,
  withGuard,
} from '../support/guard.js'
import { readPcap, writePcap } from './support/pcap.js'
import { until } from './support/program.js'
import { Testpmd, virtioUser } from './support/testpmd.js'

test.beforeEach(t => t.timeout(60_000))

/** Ports 0 and 1 are the sender, 2 and 3 the receiver, 4 and 5 the monitor; testpmd forwards within each pair. */
const throughTestpmd = (): Promise<Outcome> =>
  withGuard(async ({ folder, paths, drivers }) => {
    const file = (name: string): string => join(folder, `${name}.pcap`)
    writePcap(file('in'), traffic)
    const devices = [
      ...[`net_pcap0,rx_pcap=${file('in')}`, virtioUser(0, paths[0]!)],
      ...[`net_pcap1,tx_pcap=${file('to')}`, virtioUser(1, paths[1]!)],
      ...[`net_pcap2,tx_pcap=${file('monitor')}`, virtioUser(2, paths[2]!)],
    ]
    const ready = allReady(drivers)
    // It would begin by throwing away what its ports have received, which is the capture file.
    const testpmd = await Testpmd.start({ devices, mode: 'io', extra: ['--no-flush-rx'] })
    try {
      await ready
      await testpmd.forward()
      for (const [port, { length }] of [
        [2, expected.to],
        [4, expected.monitor],
      ] as const)
        await until(
          `port ${port}: ${length} frames`,
          async () => (await testpmd.port(port)).sent >= length,
          30_000,
        )
    } finally {
      await testpmd.stop()
    }
    return outcomeOf(readPcap(file('to')), readPcap(file('monitor')))
  })

test('marbles, embedded guests and testpmd give the same frames', async t => {
  const outcomes = {
    marbles: throughMarbles(t.deepEqual),
    guests: await throughGuests(),
    testpmd: await throughTestpmd(),
  }
  t.log(`${traffic.length} sent, ${expected.to.length} forwarded, ${expected.monitor.length} mirrored`)
  for (const [way, outcome] of Object.entries(outcomes)) t.deepEqual(outcome, expected, way)
})
