// Risk: a consumer that is slower than its guest, and asynchronous. Its leases must bound what is under way: memory is
// flat, and nothing is lost. In a process of its own, since memory counts per process; `npm run soak` runs it longer.
import test from 'ava'
import { Child } from './support/child.js'

interface Result {
  ways: { name: string; sent: number; received: number; dropped: Record<string, number> }[]
  leases: number
  grown: { heap: number; resident: number }
}

const pairs = [
  ['retain, concatMap', 'processPackets', '20'],
  ['for await', 'pipeline()', '10'],
  ['pipeTo()', 'for await', '10'],
]

for (const [one, other, seconds] of pairs)
  test.serial(
    `${one} and ${other}, a millisecond late under full-rate traffic: nothing lost, memory flat`,
    async t => {
      t.timeout(110_000)
      // Without strict leases, whose fresh packets would be what is measured.
      const args = ['--seconds', seconds, '--ways', `${one};${other}`]
      const child = new Child(t, 'bench/soak.js', args, { env: { RX_VHOST_LEASES: '' } })
      const { ways, leases, grown } = await child.value<Result>('result')
      for (const { name, sent, received, dropped } of ways) {
        t.log(`${name}: ${sent} sent, ${received} received`)
        t.true(sent > 1000, name)
        t.is(received, sent, name)
        t.deepEqual(dropped, {}, name)
      }
      t.log(`grown: heap ${grown.heap.toFixed(2)} MiB, resident ${grown.resident.toFixed(2)} MiB`)
      t.is(leases, 0)
      t.deepEqual(await child.ended, { code: 0, signal: null }, child.lines.join('\n') + child.errors)
    },
  )
