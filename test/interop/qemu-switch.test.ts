// Two Linux guests in QEMU, joined by examples/switch: what a user does with virtual machines.
import test from 'ava'
import { startForward, startSwitch } from './support/back-ends.js'
import { qemuBuilds } from './support/qemu.js'
import { pingBothWays, rebindDriver, reboot, timed, transferBothWays, withPair } from './support/scenarios.js'

const MiB = 1 << 20

for (const qemu of qemuBuilds()) {
  test(`QEMU ${qemu.version}: guests ping, move 64 MiB each way with offloads, reboot and rebind their driver`, async t => {
    await withPair(t, { qemu, startBackEnd: startSwitch }, async pair => {
      const { a, b } = pair
      await timed(t, 'ping both ways', () => pingBothWays(pair))
      await transferBothWays(t, pair, 64 * MiB)
      await timed(t, 'reboot of a', () => reboot(a))
      await timed(t, 'ping after the reboot', () => pingBothWays(pair))
      await timed(t, 'driver of b unbound and bound', () => rebindDriver(b))
      await timed(t, 'ping after the bind', () => pingBothWays(pair))
      await transferBothWays(t, pair, 8 * MiB)
      t.true(a.program.running && b.program.running)
    })
  })

  test(`QEMU ${qemu.version}: legacy devices without mergeable buffers (10-byte header) ping and move 64 MiB`, async t => {
    const options = { qemu, startBackEnd: startSwitch, legacy: true, device: 'mrg_rxbuf=off' }
    await withPair(t, options, async pair => {
      await timed(t, 'ping both ways', () => pingBothWays(pair))
      await transferBothWays(t, pair, 64 * MiB)
    })
  })
}

test('plain burst calls: two guests ping and move 8 MiB each way', async t => {
  const qemu = qemuBuilds()[0]!
  await withPair(t, { qemu, startBackEnd: startForward }, async pair => {
    await timed(t, 'ping both ways', () => pingBothWays(pair))
    await transferBothWays(t, pair, 8 * MiB)
  })
})
