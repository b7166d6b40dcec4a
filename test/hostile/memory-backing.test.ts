// Group C: what lies behind the guest's memory goes away without the file getting shorter, and memory that its other
// owner, the front end, writes while we are at work.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import test from 'ava'
import type { HeldBurst } from 'rx-vhost'
import { native } from '../../src/addon/native.js'
import type { Need } from '../support/needs.js'
import { hostile, passesBothWays, passesFromGuest, passesToGuest } from './support/cases.js'
import { until } from './support/conditions.js'
import { frameOf, HEADER, place, room } from './support/frames.js'
import type { HostileFrontEnd } from './support/front-end.js'
import { PAGE } from './support/memory.js'
import { areDelivered, latches } from './support/outcomes.js'
import { REQUEST, state } from './support/wire.js'

/** Gives these pages of what is shared back to the kernel; the file keeps its length and reads as zeroes. */
function punch({ memory }: HostileFrontEnd, offset: number, length: number): void {
  const file = `/proc/${process.pid}/fd/${native().rawNumber(memory.token)}`
  execFileSync('fallocate', ['--punch-hole', '--offset', `${PAGE + offset}`, '--length', `${length}`, file])
}

hostile(
  'C8',
  'a hole punched under buffers: they hold zeroes, and frames go on passing',
  async scene => {
    const front = await scene.run()
    front.rings[1].descriptor(0, place(front, front.buffers, frameOf(1)))
    front.rings[1].descriptor(1, place(front, front.buffers + PAGE, frameOf(2)))
    punch(front, front.buffers, PAGE)
    await areDelivered(scene, front, [0, 1], [new Uint8Array(60), frameOf(2)])
    await passesBothWays(scene.stage, front)
  },
  { repeats: 20 },
)

hostile(
  'C8',
  'a hole punched under the rings: indices of zero are garbage like any other',
  async scene => {
    const { stage } = scene
    const front = await scene.run()
    await passesFromGuest(stage, front)
    await passesToGuest(stage, front)
    // Of ring 1 alone: its available index goes back from 1 to 0.
    const [, ring] = front.rings
    const at = front.buffers + 8 * PAGE
    ring.descriptorsAt = at
    ring.availableAt = at + 16 * ring.size
    ring.usedAt = at + PAGE
    await front.renew(1)
    await passesFromGuest(stage, front)
    await latches(scene, front, 1, 'avail_jump', () => punch(front, at, PAGE))
  },
  { repeats: 20 },
)

// A tmpfs of 16 pages, in a namespace of its own: whoever writes the page that is one too many gets a SIGBUS.
const ROOM = 16
const own = ['--user', '--map-root-user', '--mount']
const mount = `mount -t tmpfs -o size=${ROOM * PAGE} small /mnt`
const small =
  spawnSync('unshare', [...own, 'sh', '-c', mount]).status === 0
    ? spawn('unshare', [...own, 'sh', '-c', `${mount} && echo mounted && exec cat`], {
        stdio: ['pipe', 'pipe', 'inherit'],
      })
    : undefined
test.before(async () => {
  if (small) await once(small.stdout, 'data')
})
test.after.always(() => {
  small?.stdin.end()
})

const namespace: Need = {
  of: 'file systems without room (a mount namespace)',
  missing: () =>
    small
      ? undefined
      : 'allow user namespaces (sysctl kernel.unprivileged_userns_clone=1), and be in no chroot',
}
hostile(
  'C8',
  'a file system without room at the first touch: contained as memory that was taken away',
  async scene => {
    const { t, stage } = scene
    const front = await scene.run({ file: `/proc/${small?.pid}/root/mnt/memory` })
    await passesBothWays(stage, front)
    const fill = Array.from({ length: ROOM }, (_, n) => front.buffers + n * PAGE)
    const filling = (): void => {
      for (const at of fill) front.memory.write(at, frameOf(1))
    }
    t.throws(filling, { code: 'ENOSPC' })
    // A page behind those, which nobody has touched.
    front.rings[0].descriptor(0, room(front.buffers + (ROOM + 2) * PAGE))
    front.rings[0].offer(0)
    stage.feed(frameOf(9, 1000))
    await until('the fault', () => scene.faults.length > 0)
    t.deepEqual(
      scene.faults.map(({ code, reason, detail }) => [code, reason, detail]),
      [['ERR_VHOST_MEMORY_REVOKED', 'memory_revoked', 'no_backing']],
    )
    for (const { index } of front.rings) await front.ask(REQUEST.GET_VRING_BASE, state(index, 0))
    // The same table again, once there is room.
    punch(front, front.buffers, ROOM * PAGE)
    t.is(await front.order(...front.table()), 0)
    for (const ring of front.rings) {
      ring.clear()
      front.setUp(ring.index)
    }
    await front.barrier()
    await passesBothWays(stage, front)
    t.is(scene.faults.length, 1)
  },
  { repeats: 20, need: namespace },
)

// C18; native/test/double_fetch_test.cc has the same between any two loads.

hostile('C18', 'the front end rewrites buffers that we have taken: leases read as they were', async scene => {
  const { t, stage } = scene
  const front = await scene.run()
  const [, ring] = front.rings
  const held: HeldBurst[] = []
  stage.onBurst = burst => {
    front.memory.write(front.buffers, new Uint8Array(4 * PAGE).fill(0xff))
    held.push(burst.retain())
  }
  const heads = [0, 1, 2, 3, 4, 5, 6, 7]
  for (const head of heads) ring.descriptor(head, place(front, front.buffers + 256 * head, frameOf(head)))
  ring.offer(...heads)
  ring.kick()
  await until('the leases', () => held.reduce((sum, burst) => sum + burst.length, 0) === heads.length)
  const frames = held.flatMap(burst => [...burst].map(packet => packet.toBuffer()))
  frames.forEach((frame, n) => {
    t.is(Buffer.compare(frame, frameOf(n)), 0, `frame ${n}`)
  })
  for (const burst of held) burst.release()
  stage.onBurst = undefined
  await passesBothWays(stage, front)
  t.deepEqual(scene.faults, [])
})

hostile(
  'C18',
  'the front end rewrites a ring while its burst is with us: as a hostile guest',
  async scene => {
    const { t, stage } = scene
    const front = await scene.run()
    const [, ring] = front.rings
    stage.onBurst = burst => {
      for (const packet of burst) stage.delivered.push(packet.toBuffer())
      front.memory.write(ring.descriptorsAt, new Uint8Array(16 * ring.size).fill(0xff))
      front.memory.write(ring.availableAt, new Uint8Array(6 + 2 * ring.size).fill(0xff))
      front.memory.write(ring.usedAt, new Uint8Array(6 + 8 * ring.size).fill(0xff))
    }
    ring.descriptor(0, place(front, front.buffers, frameOf(1)))
    ring.offer(0)
    ring.kick()
    await until('the fault', () => scene.faults.length > 0)
    stage.onBurst = undefined
    t.is(stage.delivered.length, 1)
    t.is(Buffer.compare(stage.delivered[0], frameOf(1)), 0)
    t.deepEqual(
      scene.faults.map(({ reason, ring }) => [reason, ring]),
      [['avail_jump', 1]],
    )
    await passesToGuest(stage, front)
    await front.renew(1)
    await passesBothWays(stage, front)
  },
)

hostile('C18', 'the front end fills our buffer before we do: it is written all the same', async scene => {
  const { t, stage } = scene
  const front = await scene.run()
  const [ring] = front.rings
  ring.descriptor(0, room(front.buffers))
  front.memory.write(front.buffers, new Uint8Array(2048).fill(0xff))
  ring.offer(0)
  const frame = frameOf(5)
  stage.feed(frame)
  ring.kick()
  await until('a used buffer', () => ring.usedIndex === 1)
  t.deepEqual(ring.used(0), { id: 0, length: HEADER + frame.length })
  t.true(front.memory.read(front.buffers + HEADER, frame.length).equals(frame))
})
