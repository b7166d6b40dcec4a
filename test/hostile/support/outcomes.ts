// The outcomes of the catalogue, as a test asks for them: NAK and CLOSE of messages, QBRK and DROP of rings.
import { passesFromGuest, passesToGuest, type Scene } from './cases.js'
import { turns, until } from './conditions.js'
import { frameOf } from './frames.js'
import type { HostileFrontEnd } from './front-end.js'

/** Turns of the event loop in which something that must not happen would have. */
export const A_WHILE = 8

export type Sent = readonly [request: number, payload?: Uint8Array, fds?: readonly number[]]

/** NAK: answered with 1, told once as `refused`, and that is all: the connection stays. */
export async function isRefused(
  { t, events }: Scene,
  front: HostileFrontEnd,
  [request, payload, fds]: Sent,
  ...reasons: string[]
): Promise<void> {
  const before = events('refused').length
  t.is(await front.order(request, payload, fds), 1, 'refused')
  const told = events('refused').slice(before)
  t.is(told.length, 1, 'told once')
  t.true(reasons.includes(told[0].reason), `${told[0].reason}, not ${reasons}`)
  await front.barrier()
}

/** CLOSE: the connection is over, for this reason. */
export async function isClosed(
  { t, events }: Scene,
  front: HostileFrontEnd,
  ...reasons: string[]
): Promise<void> {
  await front.closed()
  await until('the closed event', () => events('closed').length > 0)
  t.is(events('closed').length, 1, 'told once')
  t.true(reasons.includes(events('closed')[0].reason), `${events('closed')[0].reason}, not ${reasons}`)
}

/** A semantic refusal: NAK where an answer is wanted, CLOSE where none is. Ends the connection. */
export async function isRefusedBothWays(
  scene: Scene,
  front: HostileFrontEnd,
  sent: Sent,
  ...reasons: string[]
): Promise<void> {
  await isRefused(scene, front, sent, ...reasons)
  front.send(...sent)
  await isClosed(scene, front, ...reasons)
}

/**
 * What is shared, up to four mebibytes, but for the used rings: what the back end may not write unless it was given as a
 * buffer.
 */
export function picture({ memory, rings }: HostileFrontEnd): Buffer {
  const bytes = memory.read(0, Math.min(memory.size, 4 << 20))
  for (const { usedAt, size } of rings) bytes.fill(0, usedAt, usedAt + 6 + 8 * size)
  return bytes
}

/** Gives the ring's consumer a reason to look at it, and time to do so. */
export async function provoke({ stage }: Scene, front: HostileFrontEnd, index: number): Promise<void> {
  front.rings[index].kick()
  if (index === 0) stage.feed(frameOf(7))
  await turns(A_WHILE)
}

/** What `bad` did to a ring latches it: QBRK. The other ring goes on, and a new set-up mends this one. */
export async function latches(
  scene: Scene,
  front: HostileFrontEnd,
  index: number,
  reason: string,
  bad: () => void,
): Promise<void> {
  const { t, stage } = scene
  const ring = front.rings[index]
  const faults = scene.faults.length
  bad()
  const before = picture(front)
  ring.kick()
  if (index === 0) stage.feed(frameOf(7))
  await until(`the fault ${reason}`, () => scene.faults.length > faults)
  const used = ring.usedIndex
  await provoke(scene, front, index)
  t.deepEqual(
    scene.faults.slice(faults).map(({ code, reason, ring }) => ({ code, reason, ring })),
    [{ code: 'ERR_VHOST_RING', reason, ring: index }],
    'one fault',
  )
  t.is(ring.take(ring.errorFd), 1, 'the error fd is signalled once')
  t.is(ring.usedIndex, used, 'nothing is written to the ring any more')
  t.true(picture(front).equals(before), 'nothing else was written')
  const stops = scene.events('ring-stopped').filter(stop => stop.ring === index)
  t.is(stops.at(-1)?.reason, reason)
  if (index === 1) await passesToGuest(stage, front)
  else await passesFromGuest(stage, front)
  await front.renew(index)
  await passesFromGuest(stage, front)
  await passesToGuest(stage, front)
  t.is(scene.faults.length, faults + 1, 'one fault still')
}

/** Chains offered on ring 1 are dropped for `reason`, given back with length 0, and the ring goes on: DROP. */
export async function areDropped(
  scene: Scene,
  front: HostileFrontEnd,
  reason: string,
  heads: readonly number[],
): Promise<void> {
  const { t, stage } = scene
  const [, ring] = front.rings
  const used = ring.usedIndex
  const counted = scene.drops('fromGuest', reason)
  const delivered = stage.delivered.length
  ring.offer(...heads)
  const before = picture(front)
  ring.kick()
  await until(`${heads.length} dropped as ${reason}`, () => {
    const more = scene.drops('fromGuest', reason) - counted
    return more >= heads.length
  })
  t.is(scene.drops('fromGuest', reason) - counted, heads.length, 'each is counted once')
  t.is(ring.usedIndex, (used + heads.length) & 0xffff)
  heads.forEach((head, n) => {
    t.deepEqual(ring.used(used + n), { id: head, length: 0 })
  })
  t.true(picture(front).equals(before), 'nothing was written')
  t.is(stage.delivered.length, delivered, 'nothing was delivered')
  await passesFromGuest(stage, front)
  t.deepEqual(scene.faults, [])
}

/** Chains offered on ring 1 are good: these frames come out, and the chains go back with length 0. */
export async function areDelivered(
  scene: Scene,
  front: HostileFrontEnd,
  heads: readonly number[],
  frames: readonly Uint8Array[],
): Promise<void> {
  const { t, stage } = scene
  const [, ring] = front.rings
  const used = ring.usedIndex
  const delivered = stage.delivered.length
  ring.offer(...heads)
  ring.kick()
  await until(`${frames.length} frames`, () => stage.delivered.length >= delivered + frames.length)
  await turns(2)
  const got = stage.delivered.slice(delivered)
  t.is(got.length, frames.length)
  got.forEach((frame, n) => {
    t.is(Buffer.compare(frame, frames[n]), 0, `frame ${n}`)
  })
  t.is(ring.usedIndex, (used + heads.length) & 0xffff)
  heads.forEach((head, n) => {
    if (heads.length - n <= ring.size) t.deepEqual(ring.used(used + n), { id: head, length: 0 })
  })
  t.deepEqual(scene.faults, [])
}

/** Waits for the frame in the buffer at `at`, behind its header; returns the used entry that gave it back. */
export async function receives(
  { stage, t }: Scene,
  front: HostileFrontEnd,
  frame: Uint8Array,
): Promise<{ id: number; length: number }> {
  const [ring] = front.rings
  const used = ring.usedIndex
  stage.feed(frame)
  ring.kick()
  await until('a used buffer', () => ring.usedIndex !== used)
  t.is(stage.connected, 1)
  return ring.used(ring.usedIndex - 1)
}
