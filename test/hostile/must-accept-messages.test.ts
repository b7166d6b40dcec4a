// Group V, messages: what looks odd and is right. A refusal of these would be our fault.
import { hostile, passesBothWays, passesFromGuest } from './support/cases.js'
import { turns } from './support/conditions.js'
import { frameOf, HEADER, place } from './support/frames.js'
import { HostileMemory, PAGE } from './support/memory.js'
import { areDelivered } from './support/outcomes.js'
import { memoryTable, REQUEST, state, u64 } from './support/wire.js'

hostile('V5', 'no fd, said by bit 8, for kick, call and error: the ring runs, and is polled', async scene => {
  const { t, stage } = scene
  const front = await scene.run()
  for (const request of [REQUEST.SET_VRING_CALL, REQUEST.SET_VRING_ERR])
    t.is(await front.order(request, u64(0x101n)), 0)
  await passesBothWays(stage, front)
  t.is(await front.order(REQUEST.SET_VRING_KICK, u64(0x101n)), 0)
  await turns(8)
  await passesFromGuest(stage, front)
  t.deepEqual(scene.faults, [])
  t.deepEqual(scene.events('ring-stopped'), [])
  // A kick fd that comes again is taken as before.
  t.is(await front.order(REQUEST.SET_VRING_KICK, u64(1n), [front.rings[1].kickFd]), 0)
  await passesFromGuest(stage, front)
})

hostile('V6', 'SET_VRING_CALL at any time under traffic', async scene => {
  const { t, stage } = scene
  const front = await scene.run()
  for (let n = 0; n < 16; n++) {
    const { callFd, errorFd } = front.rings[n % 2]
    const fd = n % 3 === 0 ? errorFd : callFd
    if (n % 5 === 4) front.send(REQUEST.SET_VRING_CALL, u64(0x101n))
    else front.send(REQUEST.SET_VRING_CALL, u64(1n), [fd])
    await passesBothWays(stage, front)
  }
  front.send(REQUEST.SET_VRING_CALL, u64(1n), [front.rings[1].callFd])
  await front.barrier()
  t.true(front.rings[1].take(front.rings[1].callFd) > 0, 'a new call fd is signalled once')
  t.deepEqual(scene.faults, [])
  t.deepEqual(scene.events('ring-stopped'), [])
})

hostile('V7', 'the memory table again, the same and another, while rings run', async scene => {
  const { t, stage } = scene
  const front = await scene.run()
  const more = new HostileMemory(4 * PAGE)
  const second = { ...more.region(), guestAddress: 1n << 40n, userAddress: 1n << 44n }
  for (const regions of [[...front.regions], [...front.regions, second], [...front.regions]]) {
    const fds = [front.memory.token, more.token].slice(0, regions.length)
    t.is(await front.order(REQUEST.SET_MEM_TABLE, memoryTable(regions), fds), 0)
    await passesBothWays(stage, front)
  }
  more.close()
  t.deepEqual(scene.events('ring-stopped'), [])
  t.deepEqual(scene.faults, [])
})

hostile('V16', 'GET_VRING_BASE of a ring that is stopped, or never ran', async scene => {
  const { t, stage } = scene
  const front = await scene.connect()
  front.negotiate()
  t.deepEqual(await front.ask(REQUEST.GET_VRING_BASE, state(1, 0)), state(1, 0))
  await front.run()
  for (let n = 0; n < 3; n++) await passesFromGuest(stage, front)
  for (let n = 0; n < 3; n++) t.deepEqual(await front.ask(REQUEST.GET_VRING_BASE, state(1, 0)), state(1, 3))
  await front.renew(1)
  await passesBothWays(stage, front)
})

for (const shift of [0, 0x200, 0x810])
  hostile(
    'V18',
    `rings and buffers in regions of their own, at offset ${PAGE + shift} of the file`,
    async scene => {
      const front = await scene.run({
        regions(memory) {
          const [rings, buffers] = [
            memory.region(0, 2 * PAGE),
            memory.region(2 * PAGE, memory.size - 2 * PAGE - shift),
          ]
          // All of the second lies `shift` further in the file than its addresses say.
          return [rings, { ...buffers, offset: buffers.offset + BigInt(shift) }]
        },
      })
      const frame = frameOf(1)
      place(front, front.buffers + 4 * PAGE + shift, frame)
      front.rings[1].descriptor(0, { at: front.buffers + 4 * PAGE, length: HEADER + frame.length })
      await areDelivered(scene, front, [0], [frame])
    },
  )
