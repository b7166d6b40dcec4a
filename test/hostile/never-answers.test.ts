// Group C: a file whose file system never answers, wherever a file can be sent. Nothing may be asked of it: whoever asks, or
// merely closes it, waits for ever, and no signal ends that. (C10.)
import { readdirSync } from 'node:fs'
import { requests } from '../../src/control/requests.js'
import { hostile, passesBothWays } from './support/cases.js'
import { until } from './support/conditions.js'
import { LOG } from './support/log.js'
import { FLUSH, fuse, NeverAnswers } from './support/never.js'
import { isRefused, type Sent } from './support/outcomes.js'
import { logPlace, memoryTable, oneRegion, PROTOCOL_MIGRATES, REQUEST, u64 } from './support/wire.js'

hostile(
  'C10',
  'a FUSE file whose server never answers, wherever an fd can be sent: refused, and nobody waits',
  async scene => {
    const { t, stage } = scene
    const file = await NeverAnswers.open()
    const front = await scene.run({}, PROTOCOL_MIGRATES)
    const other = { ...front.memory.region(0, 8192), guestAddress: 1n << 40n, userAddress: 1n << 44n }
    const fds = [file.token]
    const open = readdirSync('/proc/self/fd').length
    const memory: Sent[] = [
      [REQUEST.SET_MEM_TABLE, memoryTable([other]), fds],
      [REQUEST.ADD_MEM_REG, oneRegion(other), fds],
      [REQUEST.SET_LOG_BASE, logPlace(BigInt(LOG), 0n), fds],
    ]
    for (const sent of memory) await isRefused(scene, front, sent, 'mem_fs_type')
    for (const request of [REQUEST.SET_VRING_KICK, REQUEST.SET_VRING_CALL, REQUEST.SET_VRING_ERR])
      await isRefused(scene, front, [request, u64(1n), fds], 'fd_type')
    const none = requests.find(({ id }) => id === REQUEST.SET_VRING_ENABLE)
    await isRefused(
      scene,
      front,
      [REQUEST.SET_VRING_ENABLE, new Uint8Array(none?.size[0] ?? 8), fds],
      'msg_fds',
    )
    const closed = memory.length + 4
    await until('each to be closed', () => file.asked.length === closed)
    t.deepEqual(new Set(file.asked), new Set([FLUSH]), 'and nothing else is asked of the server')
    await passesBothWays(stage, front)
    t.is(readdirSync('/proc/self/fd').length, open, 'what is being closed has no number any more')
    await file.close()
  },
  { repeats: 3, need: fuse },
)
