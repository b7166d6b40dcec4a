// One Linux guest in QEMU and one back end, either of which may make the socket, be killed and come back; several queue
// pairs; and devices without what is usually there.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Responder } from './support/back-ends.js'
import { guestImage } from './support/guest-image.js'
import { until } from './support/program.js'
import { Guest, type GuestOptions, qemuBuilds } from './support/qemu.js'
import { recording } from './support/recordings.js'
import type { ResponderOptions } from './support/responder.js'
import { rebindDriver, reboot, timed } from './support/scenarios.js'

const PEER = '10.0.0.99'

interface Scene {
  folder: string
  path: string
  guest(options?: Partial<GuestOptions>): Promise<Guest>
  responder(options?: ResponderOptions): Promise<Responder>
}

async function within(
  t: ExecutionContext,
  qemu: GuestOptions['qemu'],
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'rxvhost-roles-'))
  const path = join(folder, 'vm.sock')
  const image = guestImage()
  const running: { program: { stop(signal?: NodeJS.Signals): Promise<unknown> } }[] = []
  try {
    await body({
      folder,
      path,
      async guest(options = {}) {
        const guest = await timed(t, 'the guest boots', () =>
          Guest.start({ qemu, image, path, folder, number: 1, ...options }),
        )
        running.push(guest)
        return guest
      },
      async responder(options) {
        const responder = await Responder.start(path, options)
        running.push(responder)
        return responder
      },
    })
  } finally {
    await Promise.allSettled(running.reverse().map(({ program }) => program.stop('SIGKILL')))
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Pings for as long as the guest is up, by itself. */
const keepPinging = (guest: Guest): Promise<string> =>
  guest.shell.must(`(ping -i 1 ${PEER} >/tmp/ping 2>&1 &)`)

const ping = (guest: Guest, address = PEER): Promise<string> => guest.shell.must(`ping -c 3 -w 20 ${address}`)

for (const qemu of qemuBuilds()) {
  const { version } = qemu

  test(`QEMU ${version}: start, unbind and bind, reboot, as a recording`, async t => {
    await within(t, qemu, async ({ folder, guest: boot, responder }) => {
      const record = recording(folder, `qemu-${version}`)
      const backEnd = await responder({ trace: record.trace })
      const guest = await boot()
      await ping(guest)
      await rebindDriver(guest)
      await ping(guest)
      await reboot(guest)
      await ping(guest)
      await guest.stop()
      await backEnd.program.line(/^closed/)
      t.is(backEnd.count('fault'), 0)
      t.is(backEnd.count('refused'), 0)
      t.is(backEnd.count('ready'), 3)
      await backEnd.stop()
      record.keep()
    })
  })

  test(`QEMU ${version}, multi-queue: 4 processors and 4 queue pairs, a flow pinned to each, all 8 rings carry frames`, async t => {
    await within(t, qemu, async ({ folder, guest: boot, responder }) => {
      const record = recording(folder, `qemu-${version}-4-pairs`)
      const backEnd = await responder({ trace: record.trace })
      const guest = await boot({ pairs: 4 })
      t.is((await guest.shell.must('ls -d /sys/class/net/eth0/queues/tx-*')).split('\n').length, 4)
      // Each to an address of its own, and all at a time.
      const flow = (n: number): string => `taskset ${1 << n} ping -c 10 -w 60 10.0.0.${100 + n} & p${n}=$!`
      await guest.shell.must(
        `${[0, 1, 2, 3].map(flow).join('; ')}; wait $p0 && wait $p1 && wait $p2 && wait $p3`,
      )
      await guest.stop()
      await backEnd.program.line(/^closed/)
      record.keep()
      const counts = await backEnd.stop()
      t.log(JSON.stringify(counts))
      t.is(backEnd.count('fault'), 0)
      for (let pair = 0; pair < 4; pair++) t.true(counts.from[pair]! > 0, `from pair ${pair}`)
      for (let pair = 0; pair < 4; pair++) t.true(counts.toEach[pair]! > 0, `to pair ${pair}`)
    })
  })

  test(`QEMU ${version} listens: it is killed and started again, and the new guest's pings are answered`, async t => {
    await within(t, qemu, async ({ guest: boot, responder }) => {
      const backEnd = await responder({ driver: { role: 'client' } })
      await backEnd.program.line(/^retrying ENOENT/)
      const first = await boot({ listens: true })
      await ping(first)
      const from = backEnd.program.lines.length
      const killed = Date.now()
      await first.kill()
      await backEnd.program.line(/^closed/)
      // What pinged is gone with its guest: the new one begins as soon as it has booted.
      const second = await boot({ listens: true })
      await ping(second)
      const [ready, echo] = [await backEnd.when('ready', from), await backEnd.when('echo', from)]
      t.log(
        `without service for ${echo - killed} ms, of which ${ready - killed} until the new guest's device was ready`,
      )
      t.is(backEnd.count('ready'), 2)
      t.is(backEnd.count('fault'), 0)
    })
  })

  for (const listens of [true, false])
    test(`QEMU ${version} ${listens ? 'listens' : 'connects'}, reconnect: the back end is killed and started again, and the guest's pings resume by themselves`, async t => {
      await within(t, qemu, async ({ guest: boot, responder }) => {
        const options: ResponderOptions = { driver: { role: listens ? 'client' : 'server' } }
        let backEnd = await responder(options)
        const guest = await boot({ listens })
        await keepPinging(guest)
        await backEnd.when('echo')
        for (let times = 0; times < 3; times++) {
          const killed = Date.now()
          await backEnd.kill()
          backEnd = await responder(options)
          const [ready, echo] = [await backEnd.when('ready'), await backEnd.when('echo')]
          t.log(
            `without service for ${echo - killed} ms, of which ${ready - killed} until the device was ready`,
          )
          t.is(backEnd.count('fault'), 0)
        }
        await ping(guest)
      })
    })

  for (const device of ['mrg_rxbuf=off', 'event_idx=off', 'indirect_desc=off', 'csum=off'])
    test(`QEMU ${version} with ${device}: pings and large ones are answered`, async t => {
      await within(t, qemu, async ({ guest: boot, responder }) => {
        const backEnd = await responder()
        const guest = await boot({ device })
        await ping(guest)
        await guest.shell.must(`ping -c 3 -w 20 -s 1400 ${PEER}`)
        t.is(backEnd.count('fault'), 0)
        t.is(backEnd.count('refused'), 0)
      })
    })

  test(`QEMU ${version}, connect fail: a back end that hangs up in the middle of the negotiation, again and again, is taken in the end`, async t => {
    await within(t, qemu, async ({ guest: boot, responder }) => {
      const backEnd = await responder({ driver: { role: 'client' }, hangUps: 4 })
      const guest = await boot({ listens: true })
      await ping(guest)
      t.true(backEnd.count('closed') >= 4)
      t.is(backEnd.count('ready'), 1)
    })
  })

  test(`QEMU ${version}, flags mismatch: it refuses a back end without a feature that its guest uses, and takes one that has it`, async t => {
    await within(t, qemu, async ({ guest: boot, responder }) => {
      const full = await responder()
      const guest = await boot()
      await keepPinging(guest)
      await full.when('echo')
      await full.kill()
      const features = ['VIRTIO_F_VERSION_1', 'VIRTIO_NET_F_CTRL_VQ'] as const
      const poor = await responder({ driver: { features: [...features] } })
      await until('QEMU to give it up', () => poor.count('closed') >= 2)
      t.is(poor.count('ready'), 0)
      await poor.kill()
      const back = await responder()
      await back.when('echo')
      t.is(back.count('fault'), 0)
    })
  })
}
