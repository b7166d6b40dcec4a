// What may go into a sink: packets of its own pool. The number of a slot does not say whose slot it is: that of a copy
// (`detach`) or of another pool would send the packet that happens to be in that slot here, perhaps another guest's. Types
// keep these away, and nothing does in plain JavaScript. Between what users hand over and the ids that sinks work on; knows
// no ring. Asked once for a packet, once for a burst.

import { VhostError } from '../../errors.js'
import { Burst, type BurstCore, coreOf, HeldBurst } from '../../packet/burst.js'
import { HeldPacket, Packet, type Slots, slotOf, slotsOf } from '../../packet/packet.js'

/** The slot of a live packet of the pool. */
export function ownSlot(pool: Slots, packet: Packet): number {
  const isPacket = packet instanceof Packet || (packet as unknown) instanceof HeldPacket
  if (!isPacket || slotsOf(packet) !== pool) throw foreign()
  return slotOf(packet)
}

/** The list behind a live burst of the pool. */
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
