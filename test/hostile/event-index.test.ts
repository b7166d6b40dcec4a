// Group F, notifications: event indexes and flags that change at every frame, over the wrap of the ring's index (F29).
// What the guest asks for is a matter between it and itself: a call that it has asked for comes, one that it has not is
// spared, and no value of either stops a frame. (virtio 1.2, 2.7.7 and 2.7.10.)
import { hostile, passesFromGuest, passesToGuest } from './support/cases.js'
import { FEATURE_BITS } from './support/wire.js'

const NO_INTERRUPT = 1
const FRAMES = 32

const noise = { state: 0x1d872b41 }
const random = (below: number): number => {
  noise.state = (Math.imul(noise.state, 1664525) + 1013904223) >>> 0
  return Math.floor((noise.state / 2 ** 32) * below)
}

/** Does the step from `before` to `after` pass `event`? As the specification has it, in 16 bits. */
const passes = (event: number, after: number, before: number): boolean =>
  ((after - event - 1) & 0xffff) < ((after - before) & 0xffff)

for (const [with_, features] of [
  ['with', FEATURE_BITS.usual | FEATURE_BITS.EVENT_IDX],
  ['without', FEATURE_BITS.usual],
] as const)
  hostile('F29', `a guest that asks for calls anew at each frame, ${with_} the event index`, async scene => {
    const { t, stage } = scene
    const eventIndex = with_ === 'with'
    const front = await scene.connect({ features })
    const { memory } = front
    const first = 0x10000 - FRAMES / 2
    for (const ring of front.rings) {
      ring.publish(first)
      memory.u16(ring.usedAt + 2, first)
    }
    front.negotiate()
    front.shareMemory()
    for (const { index } of front.rings) front.setUp(index, first)
    await front.barrier()
    const extra = [0, 0]
    for (let frame = 0; frame < FRAMES; frame++)
      for (const [way, pass] of [passesToGuest, passesFromGuest].entries()) {
        const ring = front.rings[way]
        const before = ring.usedIndex
        const event = [before, before - 1, before + 1, before + 0x8000, random(0x10000)][random(5)] & 0xffff
        const flags = random(4)
        memory.u16(ring.availableAt, flags)
        memory.u16(ring.availableAt + 4 + 2 * ring.size, event)
        // Ours to write: what stands there is nothing to us.
        memory.u16(ring.usedAt, random(0x10000))
        memory.u16(ring.usedAt + 4 + 8 * ring.size, random(0x10000))
        ring.take(ring.callFd)
        await pass(stage, front)
        const asked = eventIndex ? passes(event, ring.usedIndex, before) : (flags & NO_INTERRUPT) === 0
        const called = ring.take(ring.callFd) > 0
        if (asked && !called) t.fail(`frame ${frame} of ring ${way}: no call for event ${event}`)
        if (called && !asked) extra[way]++
      }
    t.true(Math.max(...extra) <= 1, `calls that nobody asked for: ${extra}`)
    t.deepEqual(scene.faults, [])
  })
