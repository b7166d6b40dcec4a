// The example that docs/headers.md prints, as it is here; docs.test.ts compares the two.
import test from 'ava'
import type { Burst, PacketSink } from 'rx-vhost'
import { formatIpv4, HeaderReader, HeaderWriter, ipv4Address } from 'rx-vhost/headers'
import { enqueue, filterPackets, mapPackets } from 'rx-vhost/operators'
import { marbles, tcp, udp } from 'rx-vhost/testing'
import type { Observable } from 'rxjs'

/** The pipeline of the application: HTTPS goes on to the server behind this address. */
function toServer(from: Observable<Burst>, to: PacketSink, server: string): Observable<never> {
  const [reader, writer, address] = [new HeaderReader(), new HeaderWriter(), ipv4Address(server)]
  return from.pipe(
    filterPackets(packet => reader.of(packet).tcp?.destinationPort === 443),
    mapPackets(packet => {
      const { ipv4, tcp } = writer.of(packet)
      if (ipv4 === undefined || tcp === undefined) return
      ipv4.timeToLive--
      ipv4.destinationAddress = address
      tcp.destinationPort = 8443
    }),
    enqueue(to),
  )
}

test('HTTPS goes to the server', t =>
  marbles(
    h => {
      const frames = { d: [udp({ toPort: 53 })], w: [tcp({ toPort: 443, timeToLive: 64 })] }
      const from = h.fakeQueue('             d-w', { frames })
      const to = h.fakeSink('                9')
      h.expectBursts(toServer(from.queue, to.sink, '192.0.2.80')).toBe('')
      const expected = tcp({ to: '192.0.2.80', toPort: 8443, timeToLive: 63 })
      h.flush()
      t.deepEqual(to.port.received, [expected])
      t.is(formatIpv4(expected.readUInt32BE(30)), '192.0.2.80')
    },
    { equal: t.deepEqual },
  ))
