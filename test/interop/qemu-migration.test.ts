// Live migration between two QEMU processes. That a TCP stream comes through proves little about the dirty log, since TCP
// sends again what got lost: so all RAM of both is compared as well, before the destination has run.
import { join } from 'node:path'
import test from 'ava'
import { migrate, runState, withMigration } from './support/migration.js'
import { until } from './support/program.js'
import { qemuBuilds } from './support/qemu.js'
import { describePages, differingPages, saveRam } from './support/ram.js'
import { record } from './support/recordings.js'
import { timed } from './support/scenarios.js'

const MiB = 1 << 20

for (const qemu of qemuBuilds()) {
  test(`QEMU ${qemu.version}: all RAM is equal after a migration under traffic, and RARP tells where the guest is`, async t => {
    const options = { qemu, paused: true, device: 'guest_announce=off' }
    await withMigration(t, options, async migration => {
      const { source, destination, peer, departure, arrival, folder } = migration
      const { port, events } = departure
      // Into guest 1, for longer than the migration takes; the bytes end nowhere.
      await source.shell.must('(while true; do agent receive 5001 >/tmp/received 2>&1; done) &')
      await peer.shell.must(
        `(while true; do agent send ${source.address} 5001 ${64 * MiB} 2 >/tmp/sent 2>&1; done) &`,
      )
      await until('the stream flows', () => port.sink.stats.packets > 1000)
      const before = port.sink.stats.bytes
      const info = await timed(t, 'migration', () => migrate(t, migration))
      t.true((info.ram?.['dirty-sync-count'] ?? 0) >= 2, 'more than one round')
      const written = port.sink.stats.bytes - before
      t.log(`${(written / MiB).toFixed(1)} MiB were written into the guest meanwhile`)
      t.true(written > MiB)
      t.deepEqual(
        events.filter(event => event.type === 'migration').map(({ active }) => active),
        [true, false],
      )
      t.is(await runState(source), 'postmigrate')
      await until('the destination has it all', async () => (await runState(destination)) !== 'inmigrate')
      t.deepEqual(
        arrival.events.filter(event => event.type === 'ring-started'),
        [],
        'nothing has run there',
      )
      const files = ['source.ram', 'destination.ram'].map(name => join(folder, name))
      await Promise.all([saveRam(source, files[0]!), saveRam(destination, files[1]!)])
      const differ = await differingPages(files[0]!, files[1]!)
      const described = await describePages(differ.slice(0, 20), files[0]!, files[1]!, departure.trace)
      t.is(
        differ.length,
        0,
        `of ${source.options.ramBytes} bytes, pages that differ: ${differ}\n${described}`,
      )

      await destination.monitor.command('cont')
      await until('RARP', () => arrival.events.some(event => event.type === 'rarp'))
      t.like(
        arrival.events.find(event => event.type === 'rarp'),
        { mac: '52:54:00:00:00:01' },
      )
      await timed(t, 'ping after it', () => destination.shell.must(`ping -c 3 -w 30 ${peer.address}`))
      record(departure.trace, `qemu-${qemu.version}-migration-source`)
      record(arrival.trace, `qemu-${qemu.version}-migration-destination`)
    })
  })

  // The scenario `migrate` of QEMU's own vhost-user-test, with a guest that works meanwhile.
  test(`QEMU ${qemu.version}: a guest migrates while a TCP stream runs each way, and both come through whole`, async t => {
    await withMigration(t, { qemu }, async migration => {
      const { source, destination, peer, departure, arrival } = migration
      const bytes = 96 * MiB
      for (const { shell } of [source, peer])
        await shell.must('(agent receive 5001 >/tmp/part 2>&1; mv /tmp/part /tmp/received) &')
      await source.shell.must(
        `(agent send ${peer.address} 5001 ${bytes} 1 >/tmp/part-sent 2>&1; mv /tmp/part-sent /tmp/sent) &`,
      )
      await peer.shell.must(
        `(agent send ${source.address} 5001 ${bytes} 2 >/tmp/part-sent 2>&1; mv /tmp/part-sent /tmp/sent) &`,
      )
      await until('the streams flow', () => departure.port.sink.stats.packets > 500)
      await timed(t, 'migration', () => migrate(t, migration))
      const last = (what: string) => `while [ ! -e /tmp/${what} ]; do usleep 50000; done; cat /tmp/${what}`
      const streams = await timed(t, 'both streams end', () =>
        Promise.all([destination, peer].flatMap(({ shell }) => [shell.must(last('sent'), 300_000)])),
      )
      const arrived = [
        await destination.shell.must(last('received'), 300_000),
        await peer.shell.must(last('received'), 300_000),
      ]
      const [sentBy1, sentBy2] = streams.map(line => JSON.parse(line))
      const [arrivedAt1, arrivedAt2] = arrived.map(line => JSON.parse(line))
      t.deepEqual(arrivedAt2, sentBy1, 'out of the guest that moved')
      t.deepEqual(arrivedAt1, sentBy2, 'into it')
      t.is(sentBy2.bytes, bytes)
      t.true(arrival.port.sink.stats.packets > 0, 'it was still under way')
      t.is(await runState(source), 'postmigrate')
    })
  })
}
