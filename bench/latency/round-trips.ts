// Runs one back end (contender) at a time: starts it, measures its round trips, and measures its idle CPU time.
import type { Rig, Side } from '../support/rig.js'

/** A way to wait for the guest's frames. */
export interface Contender {
  name: string
  side: Side
  /** Command that starts an echo; `stop` ends the echo. */
  command: string
}

export const SIZE = 64

/** The contenders in C: librte_vhost in a polling loop, and a program that sleeps until the kick. */
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

/** Times of round trips, in microseconds. */
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

/** Measures the CPU time in ms per second without traffic. Waits `settle` seconds before the measurement. */
export const idleCpu = (rig: Rig, contender: Contender, settle: number, seconds: number): Promise<number> =>
  whileEchoing(rig, contender, async () => {
    const back = rig.back[contender.side]
    const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
    await pause(settle * 1000)
    const before = back.usage().cpuMs
    await pause(seconds * 1000)
    return (back.usage().cpuMs - before) / seconds
  })
