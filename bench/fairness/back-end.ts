// The process under attack: an honest pipeline from one guest to another, and a device that may be hostile, whose packets it
// drains, or to which it mirrors the honest ones. It answers each command with a line of JSON:
//
//   ["open", FROM, TO, OTHER, TARGET]   sets the pipelines up
//   ["watch"]                           begins to measure the delay of its event loop
//   ["delay"]                           answers { p99 } in milliseconds
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
import { VhostDriver } from '../../src/index.js'
import { enqueue, mirror } from '../../src/operators/index.js'

export interface Delay {
  /** 99th percentile, in milliseconds. */
  p99: number
}

/** Milliseconds between two samples; a sample is late by at least as much as the timer's own resolution. */
const RESOLUTION_MS = 1
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })

function open(from: string, to: string, other: string, target: string): void {
  const [sender, receiver, stranger] = [from, to, other].map(path => new VhostDriver(path))
  const honest = sender.fromGuest()
  if (target === 'mirror') honest.pipe(mirror(stranger.toGuest()), enqueue(receiver.toGuest())).subscribe()
  else {
    honest.pipe(enqueue(receiver.toGuest())).subscribe()
    stranger.fromGuest().subscribe()
  }
}

function obey(line: string): unknown {
  const [command, ...rest] = JSON.parse(line) as string[]
  if (command === 'open') open(rest[0], rest[1], rest[2], rest[3])
  else if (command === 'watch') {
    delay.enable()
    delay.reset()
  } else if (command === 'delay') return { p99: delay.percentile(99) / 1e6 - RESOLUTION_MS }
  return {}
}

const lines = createInterface({ input: process.stdin })
lines.on('line', line => console.log(JSON.stringify(obey(line))))
lines.once('close', () => process.exit())
