// Group E: a live migration under traffic. What is marked, and that it is marked in time, is proven in
// native/test/dirty_log_test.cc and test/risks/migration.test.ts.
import { ftruncateSync, writeSync } from 'node:fs'
import { native } from '../../src/addon/native.js'
import { hostile, passesBothWays, passesFromGuest, passesToGuest } from './support/cases.js'
import { turns, until } from './support/conditions.js'
import { frameOf, room } from './support/frames.js'
import { base, begin, LOG, sends, withLog } from './support/log.js'
import { GUEST, PAGE } from './support/memory.js'
import { isRefused } from './support/outcomes.js'
import { F_LOG_ALL, logPlace, NEED_REPLY, oneRegion, REQUEST, u64 } from './support/wire.js'

hostile(
  'E3',
  'memory that is plugged in beyond the log: not written, the ring is latched, the other goes on',
  scene =>
    withLog(scene, async (front, log) => {
      const { t, stage } = scene
      t.is(await sends(front, base(log, LOG)), 0n)
      await begin(front)
      const far = {
        ...front.memory.region(front.buffers, PAGE),
        guestAddress: 1n << 40n,
        userAddress: 1n << 44n,
      }
      t.is(await front.order(REQUEST.ADD_MEM_REG, oneRegion(far), [front.memory.token]), 0)
      const [ring] = front.rings
      front.memory.write(front.buffers, new Uint8Array(PAGE).fill(0x77))
      ring.descriptor(0, { ...room(0), at: far.guestAddress })
      ring.offer(0)
      stage.feed(frameOf(5))
      await until('the fault', () => scene.faults.length > 0)
      t.deepEqual(
        scene.faults.map(({ code, reason, ring }) => [code, reason, ring]),
        [['ERR_VHOST_RING', 'log_overflow', 0]],
      )
      t.true(
        front.memory.read(front.buffers, PAGE).every(byte => byte === 0x77),
        'nothing was written',
      )
      await passesFromGuest(stage, front)
    }),
)

hostile(
  'E5',
  'empty descriptors, and a frame over every descriptor of the ring: each page that changes is marked',
  scene =>
    withLog(scene, async (front, log) => {
      const { t, stage } = scene
      await sends(front, base(log, LOG))
      await begin(front)
      const [ring] = front.rings
      // One piece a page, the last byte of one and the first of the next among them, and pieces of no byte.
      const pieces = Array.from({ length: ring.size }, (_, n) => {
        if (n % 4 === 3) return room(front.buffers + 31 * PAGE, 0)
        return room(front.buffers + (n + 1) * PAGE - (n % 4 === 1 ? 1 : 0), n === 0 ? 12 : 90)
      })
      ring.chain(0, pieces)
      ring.offer(0)
      const [first, last] = [GUEST, GUEST + BigInt(front.memory.size)].map(at => Number(at / 4096n))
      const before = front.memory.read(0, front.memory.size)
      stage.feed(frameOf(3, 900))
      await until('the frame', () => ring.usedIndex === 1)
      await turns(4)
      const after = front.memory.read(0, front.memory.size)
      const changed = []
      for (let page = 0; page < last - first; page++) {
        const [from, to] = [page * PAGE, (page + 1) * PAGE]
        if (Buffer.compare(before.subarray(from, to), after.subarray(from, to)) === 0) continue
        changed.push(page)
        t.true(log.marked(first + page), `page ${page}`)
      }
      t.true(changed.length >= 10, `${changed}`)
      t.false(log.marked(first + (front.buffers + 31 * PAGE) / PAGE), 'no page of an empty descriptor')
      t.deepEqual(scene.faults, [])
    }),
)

hostile('E6', 'a log that is truncated while it migrates: as memory that is; another log mends it', scene =>
  withLog(scene, async (front, log) => {
    const { t, stage } = scene
    await sends(front, base(log, LOG))
    await begin(front)
    await passesBothWays(stage, front)
    ftruncateSync(log.fd, 0)
    for (let n = 0; scene.faults.length === 0; n++) {
      if (n < 8) stage.feed(frameOf(n))
      front.rings[0].descriptor(n % 8, room(front.buffers + 2048 * (n % 8)))
      front.rings[0].offer(n % 8)
      front.rings[0].kick()
      await turns(1)
    }
    await turns(8)
    t.deepEqual(
      scene.faults.map(({ code }) => code),
      ['ERR_VHOST_MEMORY_REVOKED'],
    )
    ftruncateSync(log.fd, log.bytes)
    t.is(await sends(front, base(log, LOG)), 0n)
    for (const { index } of front.rings) await front.renew(index)
    await passesBothWays(stage, front)
  }),
)

hostile(
  'E7',
  'LOG_ALL comes and goes and the log changes a thousand times while frames pass: no ring stops, no frame is lost',
  scene =>
    withLog(scene, async (front, log) => {
      const { t, stage } = scene
      for (let n = 0; n < 1000; n++) {
        front.send(...base(log, LOG, (n % 2) * PAGE))
        front.send(REQUEST.SET_FEATURES, u64(front.features | F_LOG_ALL))
        if (n % 20 === 0) await passesToGuest(stage, front)
        front.send(REQUEST.SET_FEATURES, u64(front.features))
        await front.reply()
        if (n % 20 === 10) await passesFromGuest(stage, front)
      }
      await front.barrier()
      t.is(scene.events('migration').length, 2000)
      t.deepEqual([scene.events('ring-stopped'), scene.faults], [[], []])
    }),
  { repeats: 3 },
)

hostile(
  'E9',
  'SET_LOG_FD with what is no eventfd, and one that blocks',
  scene =>
    withLog(scene, async (front, log) => {
      const { t, stage } = scene
      await isRefused(scene, front, [REQUEST.SET_LOG_FD, new Uint8Array(), [log.token]], 'fd_type')
      await sends(front, base(log, LOG))
      await begin(front)
      const call = native().rawEventfd()
      t.is(await front.order(REQUEST.SET_LOG_FD, new Uint8Array(), [call]), 0)
      await passesToGuest(stage, front)
      await until('the log is said to have changed', () => front.rings[0].take(call) > 0)
      // At its maximum, and blocking: the next write would wait for ever.
      native().rawBlocking(call, false)
      writeSync(native().rawNumber(call), BigUint64Array.of(2n ** 64n - 2n))
      native().rawBlocking(call, true)
      stage.feed(frameOf(1))
      front.rings[0].descriptor(1, room(front.buffers))
      front.rings[0].offer(1)
      front.rings[0].kick()
      await until('the frame', () => front.rings[0].usedIndex === 2)
      t.deepEqual(scene.faults, [], 'a full eventfd is not written')
      native().rawBlocking(call, false)
      native().closeFd(call)
    }),
  { repeats: 5 },
)

hostile('E7', 'a migration that is begun twice, and ended by a hang-up', scene =>
  withLog(scene, async (front, log) => {
    const { t, stage } = scene
    for (let n = 0; n < 2; n++) {
      front.send(REQUEST.SET_LOG_BASE, logPlace(BigInt(LOG), 0n), [log.token], NEED_REPLY)
      await front.reply()
      await begin(front)
    }
    await passesBothWays(stage, front)
    t.deepEqual(
      scene.events('migration').map(({ active }) => active),
      [true],
    )
    front.hangUp()
    await stage.idle()
    t.deepEqual(
      scene.events('migration').map(({ active }) => active),
      [true, false],
    )
  }),
)
