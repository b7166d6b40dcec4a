// fixtures/forwarder.ts in its own process, with its three guests in this one.
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { GuestPort } from '../../../src/guest/index.js'
import { type Child, fixture } from './child.js'
import { folder } from './scene.js'

export interface Forwarder {
  child: Child
  a: GuestPort
  b: GuestPort
  monitor: GuestPort
  /** Both guests send `frames`, and all have arrived at all of the others. */
  talk(frames: number): Promise<void>
}

export async function forwarder(t: ExecutionContext): Promise<Forwarder> {
  const home = folder(t)
  const child = fixture(t, 'forwarder', [home], { env: { RX_VHOST_LEASES: '' } })
  await child.line('listening')
  const guests = ['a', 'b', 'monitor'].map(name => new GuestPort(join(home, `${name}.sock`)))
  t.teardown(() => {
    for (const guest of guests) guest.close()
  })
  await Promise.all(guests.map(guest => guest.connect()))
  for (const guest of guests) guest.check()
  const [a, b, monitor] = guests
  let sent = 0
  return {
    child,
    a,
    b,
    monitor,
    async talk(frames) {
      sent += frames
      const sending = [a.generate({ frames, source: 1 }), b.generate({ frames, source: 2 })]
      await Promise.all([a.whenReceived(sent), b.whenReceived(sent), monitor.whenReceived(2 * sent)])
      await Promise.all(sending)
    },
  }
}
