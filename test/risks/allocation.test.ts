// Risk: garbage per packet, which at a million packets a second is what the process does. On real rings and sockets, in
// a process of its own: heap growth, and each collection counted as a whole semi-space. What the guests' JavaScript
// allocates in there counts too.
import test from 'ava'
import { fixture } from './support/child.js'
import { folder } from './support/scene.js'

interface Figures {
  packets: number
  bytes: number
  growth: number
  collections: number
  reports: number[][]
}

test('a forward with a filter and a mirror allocates at most 2 bytes a packet over a million', async t => {
  t.timeout(300_000)
  const child = fixture(t, 'allocation', [folder(t)], { node: ['--expose-gc'], env: { RX_VHOST_LEASES: '' } })
  const { packets, bytes, growth, collections, reports } = await child.value<Figures>('heap')
  t.log(`${(bytes / packets).toFixed(2)} bytes a packet: heap ${growth}, ${collections} collections`)
  t.is(packets, 1_000_000)
  t.true(bytes <= 2 * packets, `${bytes / packets} bytes a packet`)
  t.deepEqual(reports, Array(3).fill([0, 0, 0]))
  t.deepEqual(await child.ended, { code: 0, signal: null })
})
