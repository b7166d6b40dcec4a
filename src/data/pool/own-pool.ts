// Checks that a packet or a burst that a user puts into a sink belongs to the sink's own pool, and returns its slots. A slot id
// does not say which pool it is of: the id of a copy (`detach`), or of a packet of another pool, would send whatever packet
// has that slot here, perhaps another guest's. TypeScript's types rule that out; plain JavaScript needs the check, once for
// each packet or burst.

import { VhostError } from '../../errors.js'
import { Burst, type BurstCore, coreOf, HeldBurst } from '../../packet/burst.js'
import { HeldPacket, Packet, type Slots, slotOf, slotsOf } from '../../packet/packet.js'

/** The slot of a live packet of the pool. */
export function ownSlot(pool: Slots, packet: Packet): number {
  const isPacket = packet instanceof Packet || (packet as unknown) instanceof HeldPacket
  if (!isPacket || slotsOf(packet) !== pool) throw foreign()
  return slotOf(packet)
}

/** The core of a live burst of the pool. */
export function ownCore(pool: Slots, burst: Burst | HeldBurst): BurstCore {
  if (!(burst instanceof Burst || burst instanceof HeldBurst)) throw foreign()
  const core = coreOf(burst)
  if (core.slots !== pool) throw foreign()
  return core
}

const foreign = (): VhostError =>
  new VhostError(
    'ERR_VHOST_INVALID_ARGUMENT',
    "only packets and bursts of a sink's own pool can go into it",
    {
      fix: 'detach() makes copies, which have no slot in it: put retain() and release() around what is asynchronous',
    },
  )
