// Frames through a device, each looked at where it arrives. No assertions of ava's, so that programs of their own can use it.
import { until } from './conditions.js'
import { frameOf, HEADER, postGood, sendGood } from './frames.js'
import type { HostileFrontEnd } from './front-end.js'
import type { Stage } from './stage.js'

let passed = 1000

export async function passesBothWays(stage: Stage, front: HostileFrontEnd): Promise<void> {
  await passesFromGuest(stage, front)
  await passesToGuest(stage, front)
}

export async function passesFromGuest(stage: Stage, front: HostileFrontEnd): Promise<void> {
  const frame = frameOf(++passed)
  sendGood(front, passed)
  await until('a good frame out of the guest', () =>
    stage.delivered.some(got => Buffer.compare(got, frame) === 0),
  )
}

export async function passesToGuest(stage: Stage, front: HostileFrontEnd): Promise<void> {
  const frame = frameOf(++passed)
  const at = postGood(front)
  stage.feed(frame)
  await until('a good frame into the guest', () => front.memory.read(at + HEADER, frame.length).equals(frame))
}
