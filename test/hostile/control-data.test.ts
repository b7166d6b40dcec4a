// Group A, control data: whatever a peer may send beside or instead of fds (A17), and what the kernel adds by itself if the
// socket was set up so. Sent by support/control.c.
import { spawnSync } from 'node:child_process'
import { readdirSync, readlinkSync } from 'node:fs'
import { native } from '../../src/addon/native.js'
import { hostile, passesBothWays, type Scene } from './support/cases.js'
import type { HostileFrontEnd } from './support/front-end.js'
import { compiled, plainEnv } from './support/programs.js'
import { memoryTable, message, NEED_REPLY, nothing, REQUEST, readU64, u64 } from './support/wire.js'

let program: string | undefined

/** Has support/control.c do `how` with a socket; what else it gets is the message, and the fds to go with it. */
function control(
  how: string,
  socket: number,
  bytes: Uint8Array = nothing,
  tokens: readonly number[] = [],
): void {
  program ??= compiled('control')
  const given = tokens.map(token => native().rawNumber(token))
  const names = given.map((_, n) => `${4 + n}`)
  const { status } = spawnSync(program, [how, '3', Buffer.from(bytes).toString('hex'), ...names], {
    stdio: ['ignore', 'ignore', 'inherit', socket, ...given],
    env: plainEnv,
  })
  if (status !== 0) throw new Error(`control ${how}: ${status}`)
}

/** Every sort of control data that a peer can send; what is meant is done, and the rest is nothing. */
async function sendsAllSorts({ t, stage }: Scene, front: HostileFrontEnd): Promise<void> {
  const socket = native().rawNumber(front.socket)
  const ask = message(REQUEST.GET_FEATURES, 0, nothing)
  for (const how of ['credentials', 'empty', 'blocks']) {
    control(how, socket, ask)
    t.is((await front.reply())?.request, REQUEST.GET_FEATURES, how)
  }
  const acked = async (): Promise<bigint> => readU64((await front.reply())?.payload ?? u64(2n))
  const { memory, buffers, rings } = front
  const two = [memory.region(0, buffers), memory.region(buffers, memory.size - buffers)]
  const table = message(REQUEST.SET_MEM_TABLE, NEED_REPLY, memoryTable(two))
  control('blocks', socket, table, [memory.token, memory.token])
  t.is(await acked(), 0n, 'two blocks of one fd')
  const call = message(REQUEST.SET_VRING_CALL, NEED_REPLY, u64(1n))
  for (const how of ['credentials', 'empty']) {
    control(how, socket, call, [rings[1].callFd])
    t.is(await acked(), 0n, `${how} and an fd`)
  }
  await passesBothWays(stage, front)
  control('empty', socket, call)
  t.is(await acked(), 1n, 'a block of no fds is no fd')
  await passesBothWays(stage, front)
}

hostile(
  'A17',
  'credentials, blocks of fds without any and more than one of them',
  async scene => {
    const front = await scene.run()
    await sendsAllSorts(scene, front)
  },
  { repeats: 10 },
)

const sockets = (): number[] =>
  readdirSync('/proc/self/fd')
    .map(Number)
    .filter(fd => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:')
      } catch {
        return false
      }
    })

hostile(
  'A17',
  'a socket that adds credentials and a pidfd to whatever is received, as a supervisor may leave it',
  async scene => {
    await scene.stage.idle()
    const before = sockets()
    const front = await scene.connect()
    const ours = sockets().filter(fd => !before.includes(fd) && fd !== native().rawNumber(front.socket))
    scene.t.is(ours.length, 1)
    control('ask', ours[0])
    await front.run()
    await sendsAllSorts(scene, front)
  },
  { repeats: 10 },
)
