// DPDK's virtio-user port as a front end in both roles: its link follows its back end, however often that is restarted, and
// frames go on; mergeable buffers on and off, one queue pair and four.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { Responder } from './support/back-ends.js'
import { until } from './support/program.js'
import { recording } from './support/recordings.js'
import type { ResponderOptions } from './support/responder.js'
import { Testpmd, type TestpmdOptions } from './support/testpmd.js'

interface Scene {
  folder: string
  path: string
  responder(options?: ResponderOptions): Promise<Responder>
  testpmd(options: Omit<TestpmdOptions, 'mode'> & Partial<TestpmdOptions>): Promise<Testpmd>
}

async function within(body: (scene: Scene) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'rxvhost-virtio-user-'))
  const running: { program: { stop(signal?: NodeJS.Signals): Promise<unknown> } }[] = []
  const kept = async <T extends (typeof running)[number]>(made: Promise<T>): Promise<T> => {
    const it = await made
    running.push(it)
    return it
  }
  try {
    await body({
      folder,
      path: join(folder, 'port.sock'),
      responder: options => kept(Responder.start(join(folder, 'port.sock'), options)),
      testpmd: options => kept(Testpmd.start({ mode: 'flowgen', ...options })),
    })
  } finally {
    await Promise.allSettled(running.reverse().map(({ program }) => program.stop('SIGKILL')))
    rmSync(folder, { recursive: true, force: true })
  }
}

const port = (path: string, pairs: number, options: string): string =>
  `net_virtio_user0,path=${path},queues=${pairs},queue_size=256${options}`
const queues = (pairs: number): string[] => [`--rxq=${pairs}`, `--txq=${pairs}`]

async function linkIs(testpmd: Testpmd, up: boolean): Promise<void> {
  await until(`the link is ${up ? 'up' : 'down'}`, async () =>
    (await testpmd.command('show port info 0')).some(line =>
      line.includes(`Link status: ${up ? 'up' : 'down'}`),
    ),
  )
}

/** Frames go out of the port, and come back to it. */
async function flows(testpmd: Testpmd, frames: number): Promise<void> {
  const before = (await testpmd.port(0)).received
  await testpmd.forward()
  await testpmd.hasReceived(before + frames)
  await testpmd.stopForwarding()
}

for (const pairs of [1, 4])
  for (const mergeable of [1, 0])
    test(`a port that listens, ${pairs} queue pair${pairs > 1 ? 's' : ''}, mergeable ${mergeable ? 'on' : 'off'}: frames of each pair come back`, async t => {
      await within(async ({ path, responder, testpmd: start }) => {
        // Before the port is there: it tries until it is.
        const backEnd = await responder({ reflect: true, pairs, driver: { role: 'client' } })
        const testpmd = await start({
          devices: [port(path, pairs, `,server=1,mrg_rxbuf=${mergeable}`)],
          extra: queues(pairs),
        })
        await linkIs(testpmd, true)
        await flows(testpmd, 20_000)
        const counts = await backEnd.stop()
        t.log(JSON.stringify(counts))
        t.is(backEnd.count('fault'), 0)
        t.is(backEnd.count('refused'), 0)
        for (let pair = 0; pair < pairs; pair++) {
          t.true(counts.from[pair]! > 0, `from pair ${pair}`)
          t.true(counts.toEach[pair]! > 0, `to pair ${pair}`)
        }
        await linkIs(testpmd, false)
      })
    })

test('a port that listens: its link follows twenty restarts of the back end, killed or not, and frames go on', async t => {
  await within(async ({ path, responder, testpmd: start }) => {
    const options: ResponderOptions = { reflect: true, driver: { role: 'client' } }
    let backEnd = await responder(options)
    const testpmd = await start({ devices: [port(path, 1, ',server=1')] })
    for (let times = 0; times < 20; times++) {
      await linkIs(testpmd, true)
      await flows(testpmd, 100)
      t.is(backEnd.count('fault'), 0)
      if (times % 2) await backEnd.kill()
      else await backEnd.stop()
      await linkIs(testpmd, false)
      backEnd = await responder(options)
    }
    await linkIs(testpmd, true)
    await flows(testpmd, 100)
  })
})

for (const listens of [false, true])
  test(`a port that ${listens ? 'listens' : 'connects'}: started, stopped, started and ${listens ? 'left and found again' : 'ended'}, as a recording`, async t => {
    await within(async ({ folder, path, responder, testpmd: start }) => {
      const record = recording(folder, `virtio-user-22.11${listens ? '-listens' : ''}`)
      const options: ResponderOptions = {
        reflect: true,
        trace: record.trace,
        driver: { role: listens ? 'client' : 'server' },
      }
      let backEnd = await responder(options)
      const testpmd = await start({ devices: [port(path, 1, listens ? ',server=1' : '')] })
      await flows(testpmd, 1000)
      // A port that is stopped says nothing; with another offload it sets the device up anew when it is started.
      await testpmd.command('port stop 0')
      await testpmd.command('port config 0 rx_offload udp_cksum on')
      await testpmd.command('port start 0')
      await backEnd.program.line(/^stopped/)
      await flows(testpmd, 1000)
      if (listens) {
        await backEnd.stop()
        backEnd = await responder(options)
        await linkIs(testpmd, true)
        await flows(testpmd, 1000)
      }
      await testpmd.stop()
      await backEnd.program.line(/^closed/)
      t.is(backEnd.count('fault'), 0)
      t.is(backEnd.count('refused'), 0)
      record.keep()
      await backEnd.stop()
    })
  })
