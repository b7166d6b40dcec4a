// Round trips through one back end at a time: how a contender is started, its round trips, and what it costs when there
// is nothing to do.
import type { Rig, Side } from '../support/rig.js'

/** A way to wait for the guest's frames. */
export interface Contender {
  name: string
  side: Side
  /** Starts an echo; it is ended by `stop`. */
  command: string
}

export const SIZE = 64

/** librte_vhost in a loop, and asleep on the kick. */
export const polling: Contender = {
  name: 'librte_vhost, polling',
  side: 'reference',
  command: `run echo ${SIZE} 0 1 some`,
}
export const sleeping: Contender = { name: 'C, epoll on the kick', side: 'reference', command: 'sleep' }
export const ours = (poll: string): Contender => ({
  name: `rx-vhost, ${poll}`,
  side: 'ours',
  command: `run echo ${SIZE} 0 1 some bursts 32`,
})

/** In microseconds. */
export interface Times {
  rounds: number
  lost: number
  p50: number
  p99: number
  p999: number
  least: number
  most: number
}

async function whileEchoing<T>(rig: Rig, { side, command }: Contender, body: () => Promise<T>): Promise<T> {
  const back = rig.back[side]
  back.wake()
  try {
    await back.ask(command)
    const result = await body()
    await back.ask('stop')
    return result
  } finally {
    back.rest()
  }
}

export const roundTrips = (rig: Rig, contender: Contender, rounds: number, gapUs: number): Promise<Times> =>
  whileEchoing(rig, contender, () =>
    rig.generator.ask<Times>(
      `latency ${rig.set(contender.side)} ${rounds} ${gapUs} ${SIZE}`,
      rounds * (gapUs + 100) * 1e-3,
    ),
  )

/** Milliseconds of CPU that a second without traffic costs, after `settle` seconds without any. */
export const idleCpu = (rig: Rig, contender: Contender, settle: number, seconds: number): Promise<number> =>
  whileEchoing(rig, contender, async () => {
    const back = rig.back[contender.side]
    const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
    await pause(settle * 1000)
    const before = back.usage().cpuMs
    await pause(seconds * 1000)
    return (back.usage().cpuMs - before) / seconds
  })
