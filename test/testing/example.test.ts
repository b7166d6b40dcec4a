// The example that docs/testing.md prints, as it is here; docs.test.ts compares the two.
import test from 'ava'
import type { Burst, PacketSink } from 'rx-vhost'
import { enqueue, filterPackets, release, retain } from 'rx-vhost/operators'
import { marbles, udp } from 'rx-vhost/testing'
import { delay, type Observable } from 'rxjs'

/** The pipeline of the application: no DNS, and all else two milliseconds later. */
function withoutDns(from: Observable<Burst>, to: PacketSink): Observable<never> {
  return from.pipe(
    filterPackets(packet => packet.uint16(36) !== 53),
    retain(),
    delay(2),
    release(),
    enqueue(to),
  )
}

test('DNS is left out', t =>
  marbles(
    h => {
      const frames = { d: udp({ toPort: 53 }), w: udp({ toPort: 443 }) }
      const from = h.fakeQueue('             d-w', { frames })
      const to = h.fakeSink('                9')
      h.expectBursts(withoutDns(from.queue, to.sink)).toBe('')
      h.expectReceived(to, frame => frame.readUInt16BE(36)).toBe('                            ----p', {
        p: [443],
      })
      h.expectLeases().toBe('      0-1-0')
    },
    { equal: t.deepEqual },
  ))

test('a full ring stalls the guest that sends, and drops nothing', t =>
  marbles(
    h => {
      const from = h.fakeQueue('             6', { highWaterMark: 4 })
      const to = h.fakeSink('                1---9')
      h.expectBursts(withoutDns(from.queue, to.sink)).toBe('')
      h.expectReceived(to).toBe('            --0-a-b', { a: [1, 2, 3], b: [4, 5] })
      h.expectCredit(from).toBe('            0-1-2-4')
      h.flush()
      t.deepEqual(to.sink.stats.drops, {})
    },
    { equal: t.deepEqual },
  ))
