// Risk: a device that does nothing costs CPU: a poll that never ends, a timer per ring. Three connected devices with
// their rings enabled, measured in a process of its own, with Node's default flags, from 1 s after traffic has stopped.
// V8's one collection of a young program's heap costs more than the bound in any Node program of that size
// (docs/decisions.md, "Idle"): a window that has it is measured again, and there may be one such window only.
import test from 'ava'
import { forwarder } from './support/forwarder.js'
import { intact } from './support/scene.js'

interface Window {
  ms: number
  packets: number
  /** Major ones: of the whole heap. */
  collections: number
}

test('three idle devices cost at most 20 ms of CPU in 10 s', async t => {
  t.timeout(120_000)
  const { child, talk, monitor } = await forwarder(t)
  await talk(50_000)
  child.kill('SIGHUP')
  const windows = await child.value<Window[]>('idle')
  for (const { ms, collections } of windows)
    t.log(`${ms.toFixed(1)} ms of CPU in 10 s, ${collections} collections of V8's`)
  for (const { packets } of windows) t.is(packets, 0)
  t.true(windows.filter(({ collections }) => collections > 0).length <= 1, 'V8 collects once, or we feed it')
  const { ms } = windows.at(-1)!
  t.true(ms <= 20, `${ms} ms`)
  await talk(1000) // and they are awake at once
  t.like(monitor.report, { received: 102_000, ...intact })
})
