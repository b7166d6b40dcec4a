// Every way in which a driver may use a split ring, from one embedded guest to another through a pipeline: a real
// socket, real shared memory, numbered frames whose every byte the receiver checks (virtio 1.2 §2.7, §5.1.6).
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { dataPlane } from '../../src/data/env.js'
import { GuestPort } from '../../src/guest/index.js'
import type { GuestLayout, GuestOptions } from '../../src/guest/options.js'
import { type PollMode, VhostDriver } from '../../src/index.js'
import { enqueue } from '../../src/operators/index.js'

const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-variants-'))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))
let made = 0

async function exchange(
  t: ExecutionContext,
  guest: GuestOptions,
  frames: number,
  length: [number, number],
  poll?: PollMode,
): Promise<void> {
  const n = made++
  const [a, b] = ['a', 'b'].map(name => new VhostDriver(join(folder, `${n}${name}.sock`), { poll }))
  const running = a.fromGuest().pipe(enqueue(b.toGuest())).subscribe()
  const [from, to] = [a, b].map(driver => new GuestPort(driver.path, guest))
  try {
    await Promise.all([from.connect(), to.connect()])
    to.check()
    const arrived = to.whenReceived(frames)
    t.is(await from.generate({ frames, length }), frames)
    const { received, lost, reordered, corrupted, duplicated, foreign } = await arrived
    t.deepEqual(
      { received, lost, reordered, corrupted, duplicated, foreign },
      { received: frames, lost: 0, reordered: 0, corrupted: 0, duplicated: 0, foreign: 0 },
    )
    t.deepEqual(b.toGuest().stats.drops, {})
    t.is(a.fromGuest().stats.packets, frames)
  } finally {
    from.close()
    to.close()
    running.unsubscribe()
  }
}

const layouts: GuestLayout[] = ['single', 'split', 'indirect']
for (const layout of layouts)
  for (const eventIndex of [true, false])
    for (const mergeable of [true, false])
      for (const modern of [true, false]) {
        const header = mergeable || modern ? 12 : 10
        const name = `${layout}, event index ${eventIndex}, mergeable ${mergeable}, modern ${modern}, header of ${header}`
        test.serial(`frames pass intact: ${name}`, async t => {
          // A mergeable guest's buffers are smaller than its frames, so that frames span several.
          const receiveBuffer = mergeable ? 600 : 2048
          await exchange(t, { layout, eventIndex, mergeable, modern, receiveBuffer }, 3000, [60, 1514])
        })
      }

for (const poll of ['adaptive', 'interrupt', 'busy'] as const)
  test.serial(`frames pass intact with poll: '${poll}'`, async t => {
    await exchange(t, {}, 5000, [60, 1514], poll)
  })

test.serial('frames longer than a small slot take a large one, and mergeable buffers', async t => {
  await exchange(
    t,
    { transmitBuffer: 65535, layout: 'split', segments: 16, receiveBuffer: 8192 },
    500,
    [1900, 65000],
  )
})

test.serial('memory of five regions: buffers that lie across two of them', async t => {
  await exchange(t, { regions: 5, layout: 'split', receiveBuffer: 2048 }, 3000, [60, 1514])
})

test.serial('a ring of four', async t => {
  await exchange(t, { queueSize: 4 }, 500, [60, 600])
})

test.serial('a ring of 32,768', async t => {
  await exchange(t, { queueSize: 32768, receiveBuffer: 2048 }, 40_000, [60, 200])
})

test.after('no lease is left', t => {
  t.is(dataPlane().pool.leases, 0)
})
