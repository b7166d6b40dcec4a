// Risk: a device that does nothing costs CPU: a poll that never ends, a timer per ring. Three connected devices with
// their rings enabled, measured in a process of its own from 1 s after traffic has stopped.
import test from 'ava'
import { forwarder } from './support/forwarder.js'
import { intact } from './support/scene.js'

test('three idle devices cost at most 20 ms of CPU in 10 s', async t => {
  t.timeout(120_000)
  const { child, talk, monitor } = await forwarder(t)
  await talk(50_000)
  child.kill('SIGHUP')
  const { ms, packets } = await child.value<{ ms: number; packets: number }>('idle')
  t.log(`${ms.toFixed(1)} ms of CPU in 10 s`)
  t.is(packets, 0)
  t.true(ms <= 20, `${ms} ms`)
  await talk(1000) // and they are awake at once
  t.like(monitor.report, { received: 102_000, ...intact })
})
