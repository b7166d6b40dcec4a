import type { HeldBurst } from 'rx-vhost'
import { hostile, passesBothWays, passesFromGuest } from './support/cases.js'
import { turns, until } from './support/conditions.js'
import { frameOf, place } from './support/frames.js'
import { HostileMemory, PAGE } from './support/memory.js'
import { memoryTable, REQUEST, state } from './support/wire.js'

hostile(
  'C19',
  'a new table under traffic: rings move over or stop, and leases of the old memory stay good',
  async scene => {
    const { t, stage } = scene
    const front = await scene.run()
    const held: HeldBurst[] = []
    stage.onBurst = burst => held.push(burst.retain())
    const send = (number: number): void => {
      const [, ring] = front.rings
      ring.descriptor(number % 16, place(front, front.buffers + 256 * (number % 16), frameOf(number)))
      ring.offer(number % 16)
      ring.kick()
    }
    for (let n = 0; n < 8; n++) send(n)
    await until('the first leases', () => held.reduce((sum, burst) => sum + burst.length, 0) === 8)

    // The same memory in two regions: the rings go on where they were, on the new mapping.
    const half = front.memory.size / 2
    const halves = [front.memory.region(0, half), front.memory.region(half, front.memory.size - half)]
    for (let n = 8; n < 12; n++) send(n)
    t.is(await front.order(...front.table(halves)), 0)
    await until('what lay in the ring', () => held.reduce((sum, burst) => sum + burst.length, 0) === 12)

    // Other memory altogether, in which the rings do not lie: they stop, and the old mapping goes.
    const other = new HostileMemory(4 * PAGE)
    const elsewhere = { ...other.region(), guestAddress: 1n << 40n, userAddress: 1n << 44n }
    t.is(await front.order(REQUEST.SET_MEM_TABLE, memoryTable([elsewhere]), [other.token]), 0)
    t.deepEqual(
      scene.events('ring-stopped').map(({ ring, reason }) => [ring, reason]),
      [
        [0, 'memory'],
        [1, 'memory'],
      ],
    )
    front.memory.truncate(0)
    const frames = held.flatMap(burst => [...burst].map(packet => packet.toBuffer()))
    frames.forEach((frame, n) => {
      t.is(Buffer.compare(frame, frameOf(n)), 0, `lease ${n} still reads as it was`)
    })
    for (const burst of held) burst.release()
    other.close()
    stage.onBurst = undefined

    // And back again, to memory that is there.
    front.memory.restore()
    for (const ring of front.rings) ring.clear()
    t.is(await front.order(...front.table()), 0)
    for (const { index } of front.rings) {
      await front.ask(REQUEST.GET_VRING_BASE, state(index, 0))
      front.setUp(index)
    }
    await front.barrier()
    await passesBothWays(stage, front)
  },
  { repeats: 200 },
)

hostile(
  'C19',
  'tables that change all the time lose no frame',
  async scene => {
    const { t, stage } = scene
    const front = await scene.run()
    const half = front.memory.size / 2
    const tables = [
      [front.memory.region()],
      [front.memory.region(0, half), front.memory.region(half, front.memory.size - half)],
    ]
    for (let n = 0; n < 20; n++) {
      front.send(...front.table(tables[n % 2]))
      await passesFromGuest(stage, front)
    }
    await turns(2)
    t.is(stage.delivered.length, 20)
    t.deepEqual(scene.faults, [])
  },
  { repeats: 50 },
)
