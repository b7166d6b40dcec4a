import { requests } from '../../src/control/requests.js'
import { hostile, passesBothWays } from './support/cases.js'
import { turn, turns } from './support/conditions.js'
import { isClosed, isRefused } from './support/outcomes.js'
import { message, NEED_REPLY, nothing, REQUEST, u64 } from './support/wire.js'

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
