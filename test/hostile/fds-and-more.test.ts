// Group A, fds with something else amiss: a message that is wrong besides, rights that are missing, and a child that
// the application starts meanwhile. Whatever comes of it, no fd stays open.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, unlinkSync } from 'node:fs'
import { native } from '../../src/addon/native.js'
import { requests } from '../../src/control/requests.js'
import { hostile, passesBothWays } from './support/cases.js'
import { turns } from './support/conditions.js'
import type { HostileFrontEnd } from './support/front-end.js'
import { isClosed, isRefused, isRefusedBothWays } from './support/outcomes.js'
import { plainEnv } from './support/programs.js'
import { newPath } from './support/stage.js'
import {
  logPlace,
  memoryTable,
  message,
  NEED_REPLY,
  nothing,
  oneRegion,
  PROTOCOL_MIGRATES,
  REQUEST,
  u64,
} from './support/wire.js'

const repeat = (token: number, count: number): number[] => Array(count).fill(token)

hostile('A12', 'as many fds as a request may have, and a wrong size: msg_size', async scene => {
  const front = await scene.run()
  for (const { id, size, fds } of requests.filter(({ fds }) => fds[1] > 0))
    for (const bytes of size[0] > 0 ? [size[0] - 1, size[1] + 1] : [size[1] + 1])
      await isRefused(
        scene,
        front,
        [id, new Uint8Array(bytes), repeat(front.memory.token, fds[1])],
        'msg_size',
      )
  await passesBothWays(scene.stage, front)
  front.send(REQUEST.SET_MEM_TABLE, new Uint8Array(7), repeat(front.memory.token, 8))
  await isClosed(scene, front, 'msg_size')
})

hostile('A12', 'eight fds on a request that we do not know: msg_unknown', async scene => {
  const front = await scene.run()
  for (const request of [0, 44, 0xffffffff])
    await isRefused(scene, front, [request, nothing, repeat(front.memory.token, 8)], 'msg_unknown')
  await passesBothWays(scene.stage, front)
})

for (const [reason, at, value] of [
  ['msg_version', 4, 2],
  ['msg_flags', 4, 0x11],
  ['msg_too_big', 8, 4097],
] as const)
  hostile('A12', `eight fds with a header that is not even read on: ${reason}`, async scene => {
    const front = await scene.connect()
    const bytes = message(REQUEST.SET_MEM_TABLE, NEED_REPLY, new Uint8Array(40))
    new DataView(bytes.buffer).setUint32(at, value, true)
    front.raw(bytes, repeat(front.memory.token, 8))
    await isClosed(scene, front, reason)
  })

/** Calls back with the memory under a token that gives only these rights. */
async function withRights(front: HostileFrontEnd, rights: number, use: (token: number) => Promise<void>) {
  const fd = openSync(`/proc/self/fd/${front.memory.fd}`, rights)
  const token = native().rawAdopt(fd)
  closeSync(fd)
  await use(token)
  native().closeFd(token)
}

for (const [what, rights] of [
  ['read', constants.O_RDONLY],
  ['written', constants.O_WRONLY],
] as const) {
  hostile('A15', `memory that may only be ${what} can not be mapped: mem_map`, async scene => {
    const front = await scene.run(undefined, PROTOCOL_MIGRATES)
    await withRights(front, rights, async token => {
      // Another table than the one in force, which would need no fd at all.
      const table = memoryTable([front.memory.region(0, 8192)])
      const elsewhere = { ...front.memory.region(0, 8192), guestAddress: 1n << 40n, userAddress: 1n << 40n }
      await isRefused(scene, front, [REQUEST.SET_MEM_TABLE, table, [token]], 'mem_map')
      await isRefused(scene, front, [REQUEST.ADD_MEM_REG, oneRegion(elsewhere), [token]], 'mem_map')
      await isRefused(scene, front, [REQUEST.SET_LOG_BASE, logPlace(16384n, 0n), [token]], 'mem_map')
      await passesBothWays(scene.stage, front)
      await isRefusedBothWays(scene, front, [REQUEST.SET_MEM_TABLE, table, [token]], 'mem_map')
    })
  })

  hostile('A15', `a pipe that may only be ${what} is no notifier: fd_type`, async scene => {
    const front = await scene.run()
    const path = newPath()
    execFileSync('mkfifo', [path])
    const both = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
    const end = openSync(path, rights | constants.O_NONBLOCK)
    const token = native().rawAdopt(end)
    closeSync(both)
    closeSync(end)
    unlinkSync(path)
    for (const request of [REQUEST.SET_VRING_KICK, REQUEST.SET_VRING_CALL, REQUEST.SET_VRING_ERR])
      await isRefused(scene, front, [request, u64(1n), [token]], 'fd_type')
    await passesBothWays(scene.stage, front)
    native().closeFd(token)
  })
}

const linksOf = (listing: string): string[] =>
  listing.split('\n').flatMap(line => line.split(' -> ')[1] ?? [])
const isOfSession = (link: string): boolean => /hostile-guest|eventfd/.test(link)

/** What a child of this process has open that came with a message. */
async function childSees(...given: number[]): Promise<string[]> {
  const child = spawn('ls', ['-l', '/proc/self/fd'], {
    stdio: ['ignore', 'pipe', 'inherit', ...given],
    env: plainEnv,
  })
  let listing = ''
  child.stdout?.setEncoding('utf8').on('data', text => {
    listing += text
  })
  await once(child, 'close')
  const links = linksOf(listing)
  if (links.length < 3) throw new Error(`no list of fds: ${listing}`)
  return links.filter(isOfSession)
}

hostile(
  'A16',
  'a child that is spawned during a session has none of the fds that came',
  async scene => {
    const { t } = scene
    const front = await scene.run()
    t.deepEqual(await childSees(), [], 'with rings that run')
    const [, bytes, fds] = front.table()
    const table = message(REQUEST.SET_MEM_TABLE, NEED_REPLY, bytes)
    front.raw(table.subarray(0, 12), fds)
    await turns(2)
    t.deepEqual(await childSees(), [], 'in the midst of a message')
    front.raw(table.subarray(12))
    t.deepEqual((await front.reply())?.payload, u64(0n))
    t.is((await childSees(front.memory.fd)).length, 1, 'and would show one if it had one')
    await passesBothWays(scene.stage, front)
  },
  { repeats: 10 },
)
