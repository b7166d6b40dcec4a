// The guest's memory: read through the file that QEMU shares, whatever its kind, and plugged in while frames pass.
import test from 'ava'
import { until } from './support/program.js'
import { type Guest, qemuBuilds } from './support/qemu.js'
import { record } from './support/recordings.js'
import { timed, transfer } from './support/scenarios.js'
import { withSwitch } from './support/switched.js'

const MiB = 1 << 20

/** MiB of memory that a guest's kernel counts. */
const total = async ({ shell }: Guest): Promise<number> =>
  Number((await shell.must('grep MemTotal /proc/meminfo')).match(/(\d+) kB/)?.[1]) >> 10

for (const qemu of qemuBuilds()) {
  // The scenario of QEMU's own vhost-user-test of that name: what the back end reads in the shared file is what the guest
  // wrote. Here each byte of a stream, which ends in another guest whose memory is of the other kind.
  test(`QEMU ${qemu.version}: read-guest-mem, with a memfd and with a file`, async t => {
    await withSwitch(t, qemu, [{ memory: 'memfd' }, { memory: 'file' }], async ({ guests, places }) => {
      const [a, b] = guests as [Guest, Guest]
      for (const { events } of places) t.true(events.some(event => event.type === 'memory'))
      await transfer(t, a, b, 8 * MiB)
      await transfer(t, b, a, 8 * MiB)
    })
  })

  test(`QEMU ${qemu.version}: memory is plugged in under ping, used, and no ping is lost`, async t => {
    await withSwitch(t, qemu, [{ hotplug: true }, {}], async ({ guests, places }) => {
      const [guest, peer] = guests as [Guest, Guest]
      const [{ events }] = places as [(typeof places)[0]]
      await peer.shell.must(`ping -c 2 -w 20 ${guest.address}`)
      const before = events.length
      const had = await total(guest)
      const memory = () => events.slice(before).filter(event => event.type === 'memory')
      await peer.shell.must(
        `(ping -c 40 -i 0.2 ${guest.address} >/tmp/pings 2>&1; mv /tmp/pings /tmp/ping) &`,
      )
      for (const n of [0, 1]) {
        await guest.monitor.command('object-add', {
          'qom-type': 'memory-backend-memfd',
          id: `hot${n}`,
          size: 128 * MiB,
          share: true,
        })
        await guest.monitor.command('device_add', { driver: 'pc-dimm', id: `dimm${n}`, memdev: `hot${n}` })
        await timed(t, `the region of DIMM ${n} arrives`, () =>
          until('the region', () => memory().length > n),
        )
      }
      const sizes = memory().map(({ regions }) => regions.map(({ size }) => size))
      t.log(JSON.stringify(sizes, (_, value) => (typeof value === 'bigint' ? Number(value) / MiB : value)))
      t.true(sizes.at(-1)!.filter(size => size === BigInt(128 * MiB)).length === 2)
      // Linux brings new blocks up when it gets round to it, or when it is told to.
      await guest.shell.must(
        'for block in /sys/devices/system/memory/memory*; do grep -q offline $block/state && echo online >$block/state; done; true',
      )
      const has = await total(guest)
      t.log(`${had} MiB before, ${has} MiB after`)
      // Linux keeps a part for what it has to know about it.
      t.true(has > had + 240, 'both are in use')
      const pings = await peer.shell.must('while [ ! -e /tmp/ping ]; do usleep 50000; done; cat /tmp/ping')
      t.regex(pings, /40 packets transmitted, 40 packets received, 0% packet loss/)
      // The kernel's own memory comes from there first: above 4 GiB is its zone of choice.
      await transfer(t, guest, peer, 16 * MiB)
      await transfer(t, peer, guest, 16 * MiB)
      t.deepEqual(
        events.slice(before).filter(event => event.type === 'ring-stopped' || event.type === 'fault'),
        [],
      )
      record(places[0]!.trace, `qemu-${qemu.version}-hot-plug`)
    })
  })

  test(`QEMU ${qemu.version}: memory is taken out by device_del under ping, and can be plugged in again`, async t => {
    await withSwitch(t, qemu, [{ hotplug: true }, {}], async ({ guests, places }) => {
      const [guest, peer] = guests as [Guest, Guest]
      const [{ events }] = places as [(typeof places)[0]]
      await peer.shell.must(`ping -c 2 -w 20 ${guest.address}`)
      const before = events.length
      const regions = (): number =>
        events.filter(event => event.type === 'memory').at(-1)?.regions.length ?? 0
      const alone = regions()
      const countBlocks = 'ls -d /sys/devices/system/memory/memory* | wc -l'
      const blocks = Number(await guest.shell.must(countBlocks))
      await peer.shell.must(
        `(ping -c 60 -i 0.2 ${guest.address} >/tmp/pings 2>&1; mv /tmp/pings /tmp/ping) &`,
      )
      for (const id of ['first', 'second']) {
        const backend = { 'qom-type': 'memory-backend-memfd', id: `${id}m`, size: 128 * MiB, share: true }
        await guest.monitor.command('object-add', backend)
        await guest.monitor.command('device_add', { driver: 'pc-dimm', id, memdev: `${id}m` })
        await until('the region', () => regions() === alone + 1)
        // Movable, so that the kernel keeps nothing there that it can't give up again.
        await guest.shell.must(
          `while [ $(${countBlocks}) -le ${blocks} ]; do usleep 50000; done; for block in /sys/devices/system/memory/memory*; do grep -q offline $block/state && echo online_movable >$block/state; done; true`,
        )
        const used = await guest.shell.must('grep -l online /sys/devices/system/memory/memory*/state | wc -l')
        t.is(Number(used), blocks + 1, 'the guest uses it')
        await guest.monitor.command('device_del', { id })
        await timed(t, `the guest gives up the ${id} DIMM`, () =>
          until('DEVICE_DELETED', () =>
            guest.monitor.events.some(({ event, data }) => event === 'DEVICE_DELETED' && data?.device === id),
          ),
        )
        await until('REM_MEM_REG', () => regions() === alone)
        t.is(Number(await guest.shell.must(countBlocks)), blocks, 'the guest has lost it')
      }
      const requests = places[0]!.trace.map(line => (JSON.parse(line) as { request: string }).request)
      t.true(requests.includes('REM_MEM_REG'))
      const pings = await peer.shell.must('while [ ! -e /tmp/ping ]; do usleep 50000; done; cat /tmp/ping')
      t.regex(pings, /60 packets transmitted, 60 packets received, 0% packet loss/)
      await transfer(t, guest, peer, 16 * MiB)
      await transfer(t, peer, guest, 16 * MiB)
      t.deepEqual(
        events.slice(before).filter(event => event.type === 'ring-stopped' || event.type === 'fault'),
        [],
      )
    })
  })
}
