// Group E: where the dirty log is, and what it reaches.
import { writeSync } from 'node:fs'
import { hostile, passesBothWays, passesToGuest } from './support/cases.js'
import { base, begin, LOG, Log, nothingMarked, sends, usedAddress, withLog } from './support/log.js'
import { GUEST, PAGE } from './support/memory.js'
import { isRefused, isRefusedBothWays, type Sent } from './support/outcomes.js'
import { address, logPlace, PROTOCOL_ACK, REQUEST } from './support/wire.js'

hostile('E1', 'SET_LOG_BASE without its feature, without an fd, with a kick fd', async scene => {
  const log = new Log()
  const plain = await scene.run({}, PROTOCOL_ACK)
  await isRefusedBothWays(scene, plain, base(log, LOG), 'feature_gate')
  log.close()
})
hostile('E1', 'SET_LOG_BASE without an fd, with two, with one of another kind', scene =>
  withLog(scene, async (front, log) => {
    const payload = logPlace(BigInt(LOG), 0n)
    await isRefused(scene, front, [REQUEST.SET_LOG_BASE, payload, []], 'msg_fds')
    await isRefused(scene, front, [REQUEST.SET_LOG_BASE, payload, [log.token, log.token]], 'msg_fds')
    await isRefused(scene, front, [REQUEST.SET_LOG_BASE, payload, [front.rings[0].kickFd]], 'fd_type')
    await isRefused(scene, front, [REQUEST.SET_LOG_BASE, payload.subarray(8), [log.token]], 'msg_size')
    await passesBothWays(scene.stage, front)
  }),
)

for (const [what, size, offset] of [
  ['size 0', 0n, 0n],
  ['a wrap', BigInt(LOG), (1n << 64n) - 1n],
  ['an offset behind its file', BigInt(LOG), BigInt(LOG + 3 * PAGE)],
  ['a byte more than its file has', BigInt(LOG), BigInt(3 * PAGE + 1)],
  ['smaller than the memory', GUEST / 32768n, 0n],
] as const)
  hostile('E2', `a log with ${what}`, scene =>
    withLog(scene, async (front, log) => {
      await isRefused(scene, front, base(log, size, offset), 'log_range')
      await passesBothWays(scene.stage, front)
      nothingMarked(scene, log)
    }),
  )

hostile('E2', 'the offset counts once, and no bit outside is set', scene =>
  withLog(scene, async (front, log) => {
    const { t, stage } = scene
    writeSync(log.fd, new Uint8Array(log.bytes).fill(0xa5))
    writeSync(log.fd, new Uint8Array(LOG), 0, LOG, PAGE)
    t.is(await sends(front, base(log, LOG, PAGE)), 0n)
    await begin(front)
    await passesBothWays(stage, front)
    const page = Number(GUEST / 4096n) + (front.memory.size - 2 * PAGE) / PAGE
    t.true(log.marked(page, PAGE), 'the page of the buffer')
    t.true(log.marked(Number(usedAddress(front, 1) / 4096n), PAGE), 'the page of a used ring')
    for (const [from, to] of [
      [0, PAGE],
      [PAGE + LOG, log.bytes],
    ])
      t.true(
        log.read(from, to - from).every(byte => byte === 0xa5),
        'canaries',
      )
    t.deepEqual(scene.events('ring-stopped'), [])
  }),
)

hostile('E4', 'a used ring that the log does not reach', scene =>
  withLog(scene, async (front, log) => {
    nothingMarked(scene, log)
    await sends(front, base(log, LOG))
    const [{ index, addresses, size }] = front.rings
    const end = BigInt(LOG) * 32768n
    const last = end - BigInt(6 + 8 * size)
    const addr = (at: bigint): Sent => [REQUEST.SET_VRING_ADDR, address(index, addresses, at)]
    for (const at of [last + 1n, end, (1n << 64n) - 4n]) await isRefused(scene, front, addr(at), 'log_range')
    scene.t.is(await front.order(...addr(last)), 0)
    await passesBothWays(scene.stage, front)
    scene.t.true(log.marked(LOG * 8 - 1), 'the last bit there is')
  }),
)

hostile('E4', 'a log that leaves a used ring out, while that is logged: the former log stays', scene =>
  withLog(scene, async (front, log) => {
    await sends(front, base(log, LOG))
    const [{ index, addresses }] = front.rings
    await front.order(REQUEST.SET_VRING_ADDR, address(index, addresses, BigInt(LOG - 8) * 32768n))
    await isRefused(scene, front, base(log, LOG - 16), 'log_range')
    await passesToGuest(scene.stage, front)
    scene.t.true(log.marked((LOG - 8) * 8))
  }),
)
