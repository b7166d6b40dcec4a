// Group E: the channel back to the front end. Q is for the quirks of real front ends.
import type { VhostDevice } from 'rx-vhost'
import { native } from '../../src/addon/native.js'
import { hostile, passesBothWays, type Scene, stageWith } from './support/cases.js'
import { turns, until } from './support/conditions.js'
import type { HostileFrontEnd } from './support/front-end.js'
import { isRefused } from './support/outcomes.js'
import { newPath } from './support/stage.js'
import { HEADER_BYTES, message, nothing, PROTOCOL_NET, REPLY, REQUEST, u64 } from './support/wire.js'

stageWith({ config: new Uint8Array(12) })

/** Two ends of a socket, as tokens. */
function socketPair(): [one: number, other: number] {
  const path = newPath()
  const listener = native().socketListen(path, 1)
  const one = native().socketConnect(path)
  const other = native().socketAccept(listener)
  native().closeFd(listener)
  return [one, other]
}

/** A front end that runs and has given us a channel; gives its own end of it. */
async function withChannel(
  scene: Scene,
  body: (front: HostileFrontEnd, end: number) => Promise<void>,
): Promise<void> {
  const front = await scene.run({}, PROTOCOL_NET)
  const [ours, theirs] = socketPair()
  try {
    scene.t.is(await front.order(REQUEST.SET_BACKEND_REQ_FD, nothing, [theirs]), 0)
    native().closeFd(theirs)
    await body(front, ours)
  } finally {
    native().closeFd(ours)
  }
}

function deviceOf({ stage }: Scene): VhostDevice {
  let found: VhostDevice | undefined
  stage.driver
    .subscribe(device => {
      found = device
    })
    .unsubscribe()
  if (!found) throw new Error('no device is connected')
  return found
}

/** Bytes that came on a channel; undefined when it was closed. */
function received(end: number): Buffer | undefined {
  const bytes = Buffer.alloc(1 << 16)
  const got = native().socketReceive(end, bytes, 0, bytes.length, new Uint32Array(254))
  return got === 0 ? undefined : bytes.subarray(0, Math.max(got, 0))
}

const faultOf = async (scene: Scene, reason: string): Promise<void> => {
  const { t } = scene
  await until(`the fault ${reason}`, () => scene.faults.length > 0)
  t.deepEqual(
    scene.faults.map(fault => [fault.code, fault.reason]),
    [['ERR_VHOST_PROTOCOL', reason]],
  )
  t.deepEqual(scene.events('ring-stopped'), [], 'the device goes on')
}

hostile('Q11', 'a change of the configuration space is told on the channel, and not waited for', scene =>
  withChannel(scene, async (front, end) => {
    const { t } = scene
    deviceOf(scene).changeConfig(Uint8Array.of(1, 2, 3, 4))
    t.deepEqual(
      received(end),
      Buffer.from(message(2, 0, nothing)),
      'CONFIG_CHANGE_MSG, which asks for no answer',
    )
    const payload = new Uint8Array(16)
    payload.set(new Uint8Array(Uint32Array.of(0, 4, 0).buffer))
    const answer = await front.ask(24, payload)
    t.deepEqual([...answer.subarray(12)], [1, 2, 3, 4])
    await passesBothWays(scene.stage, front)
  }),
)

hostile('E17', 'a channel that is no socket, or an eventfd', async scene => {
  const front = await scene.run({}, PROTOCOL_NET)
  for (const fd of [front.memory.token, front.rings[0].kickFd])
    await isRefused(scene, front, [REQUEST.SET_BACKEND_REQ_FD, nothing, [fd]], 'fd_type')
  await isRefused(scene, front, [REQUEST.SET_BACKEND_REQ_FD, nothing, []], 'msg_fds')
  await passesBothWays(scene.stage, front)
})

hostile(
  'E17',
  'its own connection as the channel: what we say comes back to us, and is refused',
  async scene => {
    const front = await scene.run({}, PROTOCOL_NET)
    front.send(REQUEST.SET_BACKEND_REQ_FD, nothing, [front.socket])
    const device = deviceOf(scene)
    await until('the end of the connection', () => {
      if (scene.events('closed').length > 0) return true
      device.changeConfig(Uint8Array.of(1))
      return false
    })
    scene.t.deepEqual(
      scene.events('refused').map(({ request, reason }) => [request, reason]),
      [['SET_FEATURES', 'msg_size']],
    )
  },
)

hostile(
  'E17',
  'its own connection as the channel: our answers come to us, as nobody asked for',
  async scene => {
    const front = await scene.run({}, PROTOCOL_NET)
    front.send(REQUEST.SET_BACKEND_REQ_FD, nothing, [front.socket])
    for (let n = 0; n < 3; n++) front.send(REQUEST.GET_FEATURES)
    await faultOf(scene, 'channel_answers')
    await passesBothWays(scene.stage, front)
  },
)

hostile(
  'E17',
  'a channel that is never read: bounded, then closed, and the device goes on',
  scene =>
    withChannel(scene, async (front, end) => {
      const device = deviceOf(scene)
      for (let n = 0; scene.faults.length === 0 && n < 200_000; n++) {
        device.changeConfig(Uint8Array.of(n & 0xff))
        if (n % 1000 === 0) await turns(1)
      }
      await faultOf(scene, 'channel_reply_backlog')
      let bytes = 0
      for (let got = received(end); got?.length; got = received(end)) bytes += got.length
      scene.t.true(bytes > 0 && bytes % HEADER_BYTES < HEADER_BYTES)
      device.changeConfig(Uint8Array.of(1))
      await passesBothWays(scene.stage, front)
    }),
  { repeats: 3 },
)

hostile('E17', 'a channel that the front end closes, or gives anew', async scene => {
  const { t, stage } = scene
  const front = await scene.run({}, PROTOCOL_NET)
  const pairs = [socketPair(), socketPair()]
  for (const [, theirs] of pairs) t.is(await front.order(REQUEST.SET_BACKEND_REQ_FD, nothing, [theirs]), 0)
  for (const [, theirs] of pairs) native().closeFd(theirs)
  t.is(received(pairs[0][0]), undefined, 'the former one is closed')
  deviceOf(scene).changeConfig(Uint8Array.of(1))
  t.is(received(pairs[1][0])?.length, HEADER_BYTES)
  t.deepEqual(scene.faults, [])
  for (const [ours] of pairs) native().closeFd(ours)
  await faultOf(scene, 'channel_hang_up')
  await passesBothWays(stage, front)
})

hostile('E18', 'answers that nobody asked for, with fds: closed, and after three so is the channel', scene =>
  withChannel(scene, async (front, end) => {
    const answer = message(1, REPLY, u64(0n))
    for (let n = 0; n < 3; n++)
      native().socketSend(end, answer, 0, answer.length, Uint32Array.of(front.memory.token))
    await faultOf(scene, 'channel_answers')
    await until('the channel to be closed', () => received(end) === undefined)
    await passesBothWays(scene.stage, front)
  }),
)

hostile('E18', 'rubbish on the channel', scene =>
  withChannel(scene, async (front, end) => {
    const rubbish = new Uint8Array(64).fill(0xff)
    native().socketSend(end, rubbish, 0, rubbish.length)
    await until('the fault', () => scene.faults.length > 0)
    scene.t.regex(scene.faults[0].reason ?? '', /^channel_/)
    await passesBothWays(scene.stage, front)
  }),
)
