// Group A, framing: messages cut in pieces, cut off, of the wrong size, or of no kind that we know.
import test from 'ava'
import { requests } from '../../src/control/requests.js'
import { DeviceSession } from '../../src/device-session.js'
import { listen } from '../../src/transport/listener.js'
import type { Timers } from '../../src/transport/timers.js'
import { hostile, passesBothWays } from './support/cases.js'
import { turn, turns, until } from './support/conditions.js'
import { HostileFrontEnd } from './support/front-end.js'
import { isClosed, isRefused } from './support/outcomes.js'
import { newPath, Sibling } from './support/stage.js'
import { HEADER_BYTES, message, NEED_REPLY, nothing, REQUEST, u64 } from './support/wire.js'

const NUM = message(REQUEST.SET_VRING_NUM, NEED_REPLY, u64(64n << 32n))
const size = (bytes: Uint8Array, claimed: number): Uint8Array => {
  const copy = bytes.slice()
  new DataView(copy.buffer).setUint32(8, claimed, true)
  return copy
}

hostile('A1', 'a header in twelve sends and a body cut anywhere are one message', async scene => {
  const { t, stage } = scene
  const front = await scene.run()
  for (let cut = 1; cut < NUM.length; cut++) {
    front.raw(NUM.subarray(0, cut))
    await turns(2)
    front.raw(NUM.subarray(cut))
    const reply = await front.reply()
    t.is(reply?.request, REQUEST.SET_VRING_NUM)
  }
  for (const byte of message(REQUEST.GET_FEATURES, 0, nothing)) {
    front.raw(Uint8Array.of(byte))
    await turn()
  }
  t.is((await front.reply())?.request, REQUEST.GET_FEATURES)
  // fds come with the first byte and belong to the message, however late its end is.
  const kick = message(REQUEST.SET_VRING_KICK, NEED_REPLY, u64(1n))
  front.raw(kick.subarray(0, 1), [front.rings[1].kickFd])
  await turns(2)
  front.raw(kick.subarray(1))
  t.deepEqual((await front.reply())?.payload, u64(0n))
  await passesBothWays(stage, front)
})

for (const bytes of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 16, NUM.length - 1])
  hostile('A2', `the peer closes after ${bytes} bytes of a message with fds`, async scene => {
    const front = await scene.connect()
    front.raw(NUM.subarray(0, bytes), [front.memory.token, front.rings[0].kickFd])
    await turns(2)
    front.hangUp()
    await isClosed(scene, front, 'msg_eof')
  })

/** Time that passes when the test says so. */
class Clock implements Timers {
  #now = 0
  readonly #waiting = new Map<unknown, { at: number; run: () => void }>()

  set(ms: number, run: () => void): unknown {
    const timer = {}
    this.#waiting.set(timer, { at: this.#now + ms, run })
    return timer
  }

  clear(timer: unknown): void {
    this.#waiting.delete(timer)
  }

  pass(ms: number): void {
    this.#now += ms
    for (const [timer, { at, run }] of this.#waiting)
      if (at <= this.#now && this.#waiting.delete(timer)) run()
  }
}

for (const [how, first] of [
  ['a header and then silence', HEADER_BYTES],
  ['a byte every 4.9 seconds', 1],
] as const)
  test.serial(`A3: ${how} ends when 5 seconds have passed since the first byte: msg_timeout`, async t => {
    const sibling = await new Sibling().open()
    const clock = new Clock()
    const events: string[] = []
    const path = newPath()
    const handlers = {
      event: (event: { type: string; reason?: string }) => events.push(`${event.type} ${event.reason ?? ''}`),
      closed: () => {},
    }
    const listener = listen(
      path,
      { onConnection: connection => new DeviceSession(path, connection, handlers).start() },
      { timers: clock },
    )
    const front = new HostileFrontEnd(path)
    await front.barrier()
    const moving = sibling.move(2000)
    front.raw(NUM.subarray(0, first))
    await turns(4)
    clock.pass(4900)
    await turns(4)
    t.deepEqual(events, [], 'there is time yet')
    if (first === 1) front.raw(NUM.subarray(1, 2))
    await turns(4)
    clock.pass(100)
    await front.closed()
    t.deepEqual(events, ['closed msg_timeout'])
    await moving
    // The listener serves the next one, whose messages in good time restart no clock of the past.
    const next = new HostileFrontEnd(path)
    for (let i = 0; i < 5; i++) {
      await next.barrier()
      clock.pass(4900)
    }
    await next.barrier()
    t.is(events.length, 1)
    for (const it of [front, next]) it.dispose()
    await until('the end of the second', () => events.length === 2)
    listener.close()
    sibling.close()
  })

const fixed = requests.filter(request => request.size[0] > 0)
for (const [what, wrong] of [
  ['nothing', () => 0],
  ['one byte', () => 1],
  ['a byte too little', (size: number) => size - 1],
] as const)
  hostile('A4', `a payload of ${what} where more is due: msg_size`, async scene => {
    const front = await scene.run()
    for (const request of fixed)
      await isRefused(scene, front, [request.id, new Uint8Array(wrong(request.size[0]))], 'msg_size')
    await passesBothWays(scene.stage, front)
    front.send(REQUEST.SET_FEATURES, new Uint8Array(wrong(8)))
    await isClosed(scene, front, 'msg_size')
  })

hostile('A5', 'a payload larger than due is drained and refused: msg_size', async scene => {
  const front = await scene.run()
  for (const { id, size } of requests)
    for (const bytes of [size[1] + 1, 4096])
      await isRefused(scene, front, [id, new Uint8Array(bytes)], 'msg_size')
  await passesBothWays(scene.stage, front)
})

for (const claimed of [4097, 0x7fffffff, 0x80000000, 0xffffffff])
  hostile('A5', `a size of ${claimed} closes before anything is allocated: msg_too_big`, async scene => {
    const front = await scene.connect()
    front.raw(size(NUM, claimed), [front.memory.token])
    await isClosed(scene, front, 'msg_too_big')
  })

const known = new Set(requests.map(({ id }) => id))
const unknown = [...Array(64).keys(), 0x7fffffff, 0x80000000, 0xffffffff].filter(id => !known.has(id))
hostile(
  'A7',
  'a request that we do not know is refused if an answer is wanted, else only told',
  async scene => {
    const { t } = scene
    const front = await scene.run()
    for (const id of unknown) {
      await isRefused(scene, front, [id, u64(1n), [front.memory.token]], 'msg_unknown')
      const told = scene.events('refused').length
      front.send(id, u64(1n), [front.rings[0].kickFd])
      await front.barrier()
      t.is(scene.events('refused').length, told + 1)
    }
    await passesBothWays(scene.stage, front)
  },
)

// A20: as long as it takes the sibling to move its frames, which is the proof that it gets its turns.
async function flood(
  scene: Parameters<Parameters<typeof hostile>[2]>[0],
  front: HostileFrontEnd,
  send: () => number,
): Promise<number> {
  const moving = { done: false }
  const sibling = scene.sibling.move(20_000).finally(() => {
    moving.done = true
  })
  let messages = 0
  while (!moving.done || messages < 100_000) {
    while (send() > 0) messages++
    while (front.tryReply());
    await turn()
  }
  await sibling
  return messages
}

function memoryInUse(): number {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const cheap = message(REQUEST.GET_FEATURES, 0, nothing)
const again = message(REQUEST.SET_VRING_NUM, 0, u64(64n << 32n))
const call = message(REQUEST.SET_VRING_CALL, 0, u64(0n))
for (const [what, bytes, withFd] of [
  ['GET_FEATURES', cheap, false],
  ['SET_VRING_NUM', again, false],
  ['SET_VRING_CALL with an fd each', call, true],
] as const)
  hostile(
    'A20',
    `a flood of ${what} starves nobody and leaves nothing`,
    async scene => {
      const front = await scene.connect()
      front.negotiate()
      const memory = memoryInUse()
      const messages = await flood(scene, front, () =>
        front.trySend(bytes, withFd ? [front.rings[0].callFd] : []),
      )
      while (front.tryReply());
      front.send(REQUEST.GET_QUEUE_NUM)
      await until('the end of the flood', () => {
        for (let reply = front.tryReply(); reply; reply = front.tryReply()) {
          if (reply.request === REQUEST.GET_QUEUE_NUM) return true
        }
        return false
      })
      scene.t.true(memoryInUse() - memory < 8 << 20, `memory is flat after ${messages} messages`)
    },
    { repeats: 1, siblingFrames: 0 },
  )
