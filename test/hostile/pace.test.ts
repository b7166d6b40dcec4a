// Group A, pace: a peer that says too little in its time (A3), and one that says too much (A20).
import test from 'ava'
import { DeviceSession } from '../../src/device/session.js'
import { listen } from '../../src/transport/listener.js'
import type { Timers } from '../../src/transport/timers.js'
import { hostile, REPEATS } from './support/cases.js'
import { turn, turns, until } from './support/conditions.js'
import { HostileFrontEnd } from './support/front-end.js'
import { newPath, Sibling } from './support/stage.js'
import { HEADER_BYTES, message, NEED_REPLY, nothing, REQUEST, u64 } from './support/wire.js'

const NUM = message(REQUEST.SET_VRING_NUM, NEED_REPLY, u64(64n << 32n))

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
      ringState: () => {},
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

// A20: a million where all is tested. The sibling moves its frames meanwhile, which is the proof that it gets its turns.
const MESSAGES = 1000 * REPEATS
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
  while (!moving.done || messages < MESSAGES) {
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
