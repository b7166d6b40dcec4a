// Mutilated frames out of a guest's memory, read and rewritten where a burst has them: in the addon's pool, which the
// sanitized run watches. What is read and written there must be what is read and written in a copy.
import test from 'ava'
import fc from 'fast-check'
import { HeaderReader, HeaderWriter } from '../../src/headers/index.js'
import { enqueue, mapPackets, tapPackets } from '../../src/operators/index.js'
import type { WritablePacket } from '../../src/packet/writable.js'
import { saidBy } from '../headers/support/fields.js'
import { mutilated } from '../headers/support/mutilated.js'
import { rewritten, withPacket } from '../headers/support/packets.js'
import { scene, turns, until } from '../risks/support/scene.js'

const FRAMES = 600
/** Below it a guest's frame is a runt, which no pipeline sees. */
const SHORTEST = 14
const SEED = 20_260_101

const reader = new HeaderReader()
const writer = new HeaderWriter()

/** Sets what is there, so that checksums follow. */
function rewrite(packet: WritablePacket): void {
  const { ethernet, vlan, ipv4, ipv6, tcp, udp, inner } = writer.of(packet)
  if (ethernet) ethernet.sourceAddress = 0x02_00_00_00_00_99
  if (vlan) vlan.vlanIdentifier = 99
  if (ipv4) ipv4.timeToLive = 9
  if (ipv6) ipv6.hopLimit = 9
  if (tcp) tcp.destinationPort = 9
  if (udp) udp.destinationPort = 9
  if (inner?.ipv4) inner.ipv4.sourceAddress = 0x0a_00_00_09
}

test('mutilated frames on a ring: the reader and the writer do in the pool what they do in a copy', async t => {
  const { driver, guest, running } = scene(t)
  const [from, to] = [driver('from'), driver('to')]
  const frames = fc.sample(
    mutilated.filter(({ length }) => length >= SHORTEST),
    { numRuns: FRAMES, seed: SEED },
  )
  const read: unknown[] = []
  running(
    from
      .fromGuest()
      .pipe(
        tapPackets(packet => read.push(saidBy(reader.of(packet)))),
        mapPackets(rewrite),
        enqueue(to.toGuest({ overflow: 'block' })),
      )
      .subscribe(),
  )
  const receiver = await guest(to)
  const sender = await guest(from)
  const received: Buffer[] = []
  running(receiver.frames.subscribe(frame => received.push(Buffer.from(frame))))
  for (let sent = 0; sent < frames.length; ) {
    sent += sender.sendBurst(frames.slice(sent, sent + 32))
    await turns()
  }
  await until(() => received.length === frames.length)
  t.deepEqual(
    read,
    frames.map(frame => withPacket(frame, packet => saidBy(reader.of(packet)))),
  )
  for (const [i, frame] of frames.entries()) t.deepEqual(received[i], rewritten(frame, rewrite), `frame ${i}`)
})
