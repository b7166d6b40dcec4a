// The guest against DPDK's own back end: testpmd's vhost port in macswap sends every frame back. Our back end is not
// involved, so what passes here is agreement with somebody else's reading of the specification.
//
// testpmd drops what it can't send at once, so no more frames are under way than the guest has receive buffers for.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type GenerateOptions, type GuestOptions, GuestPort } from '../../src/guest/index.js'
import { Testpmd, vhost } from './support/testpmd.js'

const FRAMES = 20_000
const WINDOW = 16 // of frames of five buffers, in a ring of 256 that holds 64 chains
const VERSION_1 = 1n << 32n
const MRG_RXBUF = 1n << 15n
const EVENT_IDX = 1n << 29n

let folder: string
let path: string
let testpmd: Testpmd

test.beforeEach(t => t.timeout(20_000))

test.before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rx-vhost-guest-'))
  path = join(folder, 'v.sock')
  testpmd = await Testpmd.start({ devices: [vhost(0, path)], mode: 'macswap' })
  await testpmd.forward()
})

test.after.always(async () => {
  await testpmd?.stop()
  if (folder) rmSync(folder, { recursive: true, force: true })
})

/** Sends frames through the reflector, a window at a time, and waits until all of them came back. */
async function reflect(port: GuestPort, frames: number, options: GenerateOptions): Promise<void> {
  for (let sent = port.report.received; frames > 0; frames -= WINDOW) {
    sent += await port.generate({ ...options, frames: Math.min(WINDOW, frames) })
    await port.whenReceived(sent)
  }
}

function intact(t: ExecutionContext, port: GuestPort, frames: number): void {
  const { received, lost, reordered, duplicated, corrupted } = port.report
  t.deepEqual(
    { received, lost, reordered, duplicated, corrupted },
    { received: frames, lost: 0, reordered: 0, duplicated: 0, corrupted: 0 },
  )
  t.is(port.stats.badHeaders, 0)
}

async function withPort(options: GuestOptions, body: (port: GuestPort) => Promise<void>): Promise<void> {
  const port = new GuestPort(path, options)
  try {
    await port.connect()
    port.check()
    await body(port)
  } finally {
    port.close()
  }
}

for (const layout of ['single', 'split', 'indirect'] as const)
  for (const mergeable of [true, false])
    for (const eventIndex of [true, false])
      for (const modern of [true, false]) {
        const header = modern || mergeable ? 12 : 10
        const title = [
          layout,
          mergeable && 'mergeable',
          eventIndex && 'event index',
          modern ? 'modern' : 'legacy',
        ]
        test(`frames come back intact: ${title.filter(Boolean).join(', ')}, ${header}-byte header`, async t => {
          // Mergeable: frames of up to five receive buffers.
          const longest = mergeable ? 9000 : 1518
          const options = { layout, mergeable, eventIndex, modern, transmitBuffer: longest }
          await withPort(options, async port => {
            const has = (bit: bigint) => (port.agreed!.features & bit) !== 0n
            t.deepEqual([has(MRG_RXBUF), has(EVENT_IDX), has(VERSION_1)], [mergeable, eventIndex, modern])
            await reflect(port, FRAMES, { length: [60, longest] })
            intact(t, port, FRAMES)
          })
        })
      }

test('a guest whose memory is several regions, with buffers across their borders', async t => {
  const options: GuestOptions = {
    regions: 5,
    layout: 'split',
    segments: 3,
    receiveBuffer: 1100,
    transmitBuffer: 3333,
  }
  await withPort(options, async port => {
    await reflect(port, FRAMES, { length: [60, 3333] })
    intact(t, port, FRAMES)
  })
})

test('a guest that stops and starts again goes on where it was', async t => {
  await withPort({}, async port => {
    for (let round = 1; round <= 5; round++) {
      await reflect(port, 1000, { length: 'imix' })
      await port.stop()
      t.is(port.bases[1], (round * 1000) & 0xffff)
      await port.start()
    }
    intact(t, port, 5000)
  })
})

test('a guest whose driver is reloaded begins with empty rings', async t => {
  await withPort({ layout: 'indirect' }, async port => {
    for (let round = 0; round < 5; round++) {
      await reflect(port, 1000, { length: 200 })
      await port.restart({ fresh: true })
      t.is(port.stats.fromGuestUsed, 0)
    }
    intact(t, port, 5000)
  })
})

test('frames and headers that a test hands over come back with the addresses swapped', async t => {
  await withPort({}, async port => {
    port.stopChecking()
    const frame = Uint8Array.from({ length: 100 }, (_, n) => n)
    const swapped = Uint8Array.of(...frame.subarray(6, 12), ...frame.subarray(0, 6), ...frame.subarray(12))
    const back = new Promise<Uint8Array>(resolve => port.frames.subscribe(resolve))
    t.true(port.send(frame))
    t.deepEqual(await back, swapped)
  })
})
