// Risk: a device that does nothing costs CPU: a poll that never ends, a timer per ring. Three connected devices with
// their rings enabled, in a process of its own with Node's default flags, measured once, from 1 s after traffic has stopped,
// and from outside, so that the measurement wakes nobody.
// Traffic is a few frames a second at first, until V8 has had its one collection of a young program's heap, which costs more
// than the bound in any Node program of that size (docs/decisions.md, "Idle"); then all that the rings take.
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as later } from 'node:timers/promises'
import test from 'ava'
import { forwarder } from './support/forwarder.js'
import { intact } from './support/scene.js'

const BURST = 100_000
const WINDOW_MS = 10_000

interface Thread {
  name: string
  /** Nanoseconds that it ran, and how often it was given a core. */
  ran: number
  times: number
}

function threadsOf(pid: number): Map<string, Thread> {
  const tasks = `/proc/${pid}/task`
  return new Map(
    readdirSync(tasks).map(id => {
      const [ran, , times] = readFileSync(`${tasks}/${id}/schedstat`, 'utf8').split(' ').map(Number)
      return [id, { name: readFileSync(`${tasks}/${id}/comm`, 'utf8').trim(), ran, times }]
    }),
  )
}

test('three idle devices cost at most 20 ms of CPU in 10 s', async t => {
  t.timeout(180_000)
  const { child, talk, monitor } = await forwarder(t)
  let frames = 0
  for (; !child.lines.includes('settled'); frames += 10) {
    await talk(10)
    await later(100)
  }
  await talk(BURST)
  await later(1000)
  const before = threadsOf(child.process.pid!)
  await later(WINDOW_MS)
  const after = threadsOf(child.process.pid!)
  t.deepEqual([...after.keys()], [...before.keys()], 'no thread has come or gone uncounted')
  let ms = 0
  for (const [id, { name, ran, times }] of after) {
    const ran0 = before.get(id)!
    if (times === ran0.times) continue
    t.log(`${name} ran ${times - ran0.times} times, ${((ran - ran0.ran) / 1e6).toFixed(2)} ms`)
    ms += (ran - ran0.ran) / 1e6
  }
  t.log(`${ms.toFixed(2)} ms of CPU in 10 s`)
  t.true(ms <= 20, `${ms} ms`)
  await talk(1000) // and they are awake at once
  t.like(monitor.report, { received: 2 * (frames + BURST + 1000), ...intact })
})
