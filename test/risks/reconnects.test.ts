// Risk: what a connection leaves behind adds up over the life of a program. A front end connects, starts, stops and
// disconnects a thousand times, with one, two and four queue pairs, and what is there afterwards is what was there after ten.
import test from 'ava'
import { fixture } from './support/child.js'
import type { Counts } from './support/counts.js'
import { folder } from './support/scene.js'

test.beforeEach(t => t.timeout(120_000))

type Left = Counts & { timers: number }

for (const role of ['server', 'client'])
  test.serial(
    `a thousand connections to a driver that is the ${role} leave no fd, mapping, timer or lease`,
    async t => {
      const child = fixture(t, 'reconnects', [folder(t), role])
      t.deepEqual(await child.ended, { code: 0, signal: null }, child.errors)
      const parse = (word: string) =>
        child.lines
          .filter(line => line.startsWith(word))
          .map(line => JSON.parse(line.slice(word.length)) as Left)
      const [warm, after] = parse('left ')
      t.deepEqual(after, warm)
      const [ended] = parse('ended ')
      t.like(ended, { guestMappings: 0, devices: 0, leases: 0, timers: 0 })
    },
  )
