// Group A, fds: too many, too few, where none belong, and of every wrong kind. Whatever comes of the message, no fd stays
// open. D13 is A14 for a ring's eventfds.
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  openSync,
  readdirSync,
  readlinkSync,
  statfsSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import { native } from '../../src/addon/native.js'
import { requests } from '../../src/control/requests.js'
import type { Need } from '../support/needs.js'
import { hostile, passesBothWays } from './support/cases.js'
import type { HostileFrontEnd } from './support/front-end.js'
import { isClosed, isRefused } from './support/outcomes.js'
import { folder, newPath } from './support/stage.js'
import { memoryTable, REQUEST, u64 } from './support/wire.js'

const repeat = (token: number, count: number): number[] => Array(count).fill(token)
/** What the request wants, as bytes: ring 0 and zeroes. */
const payloadOf = (bytes: number): Uint8Array => new Uint8Array(bytes)

for (const count of [1, 2, 8])
  hostile(
    'A9',
    `${count} fds on requests that want fewer: msg_fds`,
    async scene => {
      const front = await scene.run()
      for (const { id, size, fds } of requests) {
        if (count <= fds[1]) continue
        const sent = [id, payloadOf(size[0]), repeat(front.rings[0].callFd, count)] as const
        await isRefused(scene, front, sent, 'msg_fds')
      }
      await passesBothWays(scene.stage, front)
      front.send(REQUEST.SET_VRING_ENABLE, payloadOf(8), repeat(front.memory.token, count))
      await isClosed(scene, front, 'msg_fds')
    },
    { repeats: count === 2 ? 100 : undefined },
  )

for (const count of [9, 253])
  hostile('A9', `${count} fds are more than any message has: msg_fds`, async scene => {
    const front = await scene.connect()
    front.send(REQUEST.SET_MEM_TABLE, payloadOf(40), repeat(front.memory.token, count))
    await isClosed(scene, front, 'msg_fds')
  })

hostile('A9', 'no fd where one was announced: msg_fds, and mem_count for the memory table', async scene => {
  const front = await scene.run()
  for (const id of [REQUEST.SET_VRING_KICK, REQUEST.SET_VRING_CALL, REQUEST.SET_VRING_ERR])
    await isRefused(scene, front, [id, u64(0n)], 'msg_fds')
  const { memory, regions } = front
  await isRefused(scene, front, [REQUEST.SET_MEM_TABLE, memoryTable(regions)], 'mem_count')
  const two = [memory.region(0, 4096), memory.region(4096, 4096)]
  await isRefused(scene, front, [REQUEST.SET_MEM_TABLE, memoryTable(two), [memory.token]], 'mem_count')
  await passesBothWays(scene.stage, front)
})

hostile('A10', 'an fd on each request that carries none: msg_fds', async scene => {
  const front = await scene.run()
  for (const { id, size, fds } of requests)
    if (fds[1] === 0) await isRefused(scene, front, [id, payloadOf(size[0]), [front.memory.token]], 'msg_fds')
  await passesBothWays(scene.stage, front)
})

// A14 and D13

const server = createServer()
const serverPath = newPath()
const own = (kind: RegExp): number => {
  const found = readdirSync('/proc/self/fd').find(fd => {
    try {
      return kind.test(readlinkSync(`/proc/self/fd/${fd}`))
    } catch {
      return false
    }
  })
  if (found === undefined) throw new Error(`this process has no ${kind}`)
  return Number(found)
}

test.before(async () => {
  await new Promise<void>(resolve => server.listen(serverPath, resolve))
})
test.after.always(() => server.close())

const PTMX = '/dev/ptmx'
const terminals: Need = {
  of: 'fds of terminals',
  missing() {
    try {
      closeSync(openSync(PTMX, constants.O_RDWR | constants.O_NOCTTY))
      return undefined
    } catch {
      return 'mount -t devpts devpts /dev/pts'
    }
  },
}

const opened = (path: string, flags: number) => (): number => {
  const fd = openSync(path, flags)
  const token = native().rawAdopt(fd)
  closeSync(fd)
  return token
}

/** An fd of each kind, as a token that the caller closes. */
type Kinds = (front: HostileFrontEnd) => Record<string, () => number>

const aTerminal: Kinds = () => ({ 'a terminal': opened(PTMX, constants.O_RDWR | constants.O_NOCTTY) })

const kinds: Kinds = front => {
  const duplicate = (token: number) => (): number => native().rawAdopt(native().rawNumber(token))
  const file = join(folder, 'file')
  writeFileSync(file, new Uint8Array(1 << 16))
  // For ever readable (EPOLLHUP) to whoever polls it as a kick.
  const deadPipe = (): number => {
    const path = newPath()
    execFileSync('mkfifo', [path])
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    closeSync(openSync(path, constants.O_WRONLY))
    const token = native().rawAdopt(reader)
    closeSync(reader)
    unlinkSync(path)
    return token
  }
  return {
    'a regular file': opened(file, constants.O_RDWR),
    'a folder': opened(folder, constants.O_RDONLY),
    'an O_PATH fd': opened(file, 0o10000000),
    '/dev/zero': opened('/dev/zero', constants.O_RDWR),
    '/proc/self/mem': opened('/proc/self/mem', constants.O_RDWR),
    'a pipe': () => native().rawAdopt(own(/^pipe:/)),
    'a pipe whose writer is gone': deadPipe,
    'an epoll': () => native().rawAdopt(own(/eventpoll/)),
    'a timerfd': () => native().rawTimerfd(),
    'a listening socket': () => native().rawAdopt(own(/^socket:/)),
    'its own connection': duplicate(front.socket),
    'a memory file': duplicate(front.memory.token),
    'an eventfd': duplicate(front.rings[0].callFd),
  }
}

const asMemory: Record<string, string[]> = {
  // The sizes of what /proc shows are no sizes.
  '/proc/self/mem': ['mem_file_size', 'fd_type'],
}

const asRing = [REQUEST.SET_VRING_KICK, REQUEST.SET_VRING_CALL, REQUEST.SET_VRING_ERR]
for (const [id, requestsOf, title, kindsOf, need] of [
  ['D13', asRing, 'only an eventfd is a kick, a call or an error fd (D19)', kinds, undefined],
  ['A14', [REQUEST.SET_MEM_TABLE], 'only a regular file is memory (C11)', kinds, undefined],
  ['D13', asRing, 'a terminal is no kick, call or error fd (D19)', aTerminal, terminals],
  ['A14', [REQUEST.SET_MEM_TABLE], 'a terminal is no memory (C11)', aTerminal, terminals],
] as const)
  hostile(
    id,
    title,
    async scene => {
      const front = await scene.run()
      for (const [kind, make] of Object.entries(kindsOf(front))) {
        if (kind === 'an eventfd' && id === 'D13') continue
        if (id === 'A14' && (kind === 'a memory file' || kind === 'a regular file')) continue
        for (const request of requestsOf) {
          const fd = make()
          const memory = request === REQUEST.SET_MEM_TABLE
          // Another table than the one in force, which would need no fd at all.
          const payload = memory ? memoryTable([front.memory.region(0, 8192)]) : u64(1n)
          const reasons = memory ? (asMemory[kind] ?? ['fd_type']) : ['fd_type']
          await isRefused(scene, front, [request, payload, [fd]], ...reasons)
          native().closeFd(fd)
        }
        await passesBothWays(scene.stage, front)
      }
      scene.t.deepEqual(scene.events('warning'), [], 'a memfd is what memory should be')
    },
    { repeats: 100, need },
  )

// A regular file is memory, wherever it lies; on a disk it is slow.
const inMemory = new Set([0x01021994, 0x958458f6, 0x858458f6]) // tmpfs, hugetlbfs, ramfs
const disk = [folder, import.meta.dirname].find(it => !inMemory.has(statfsSync(it).type))
const aDisk: Need = {
  of: 'memory in a file on a disk',
  missing: () => (disk ? undefined : 'TMPDIR=a folder on a disk'),
}
hostile(
  'A14',
  'memory in a file on a disk works, with one warning',
  async scene => {
    const file = join(disk!, `memory-${process.pid}`)
    const front = await scene.run({ file })
    unlinkSync(file)
    await passesBothWays(scene.stage, front)
    const { memory, buffers } = front
    front.send(...front.table([memory.region(0, buffers), memory.region(buffers, memory.size - buffers)]))
    await front.barrier()
    await passesBothWays(scene.stage, front)
    scene.t.deepEqual(
      scene.events('warning').map(({ code }) => code),
      ['WARN_VHOST_MEMORY_ON_DISK'],
    )
  },
  { need: aDisk },
)

for (const request of [REQUEST.SET_VRING_KICK, REQUEST.SET_MEM_TABLE])
  hostile(
    'A14',
    `an fd of the wrong kind with request ${request} and no answer wanted: fd_type`,
    async scene => {
      const front = await scene.run()
      const payload =
        request === REQUEST.SET_MEM_TABLE ? memoryTable([front.memory.region(0, 8192)]) : u64(0n)
      front.send(request, payload, [front.socket])
      await isClosed(scene, front, 'fd_type')
    },
  )
