// Runs what a session asks of native code. Between device.ts, which feeds the results back, and the addon. It knows
// what an effect means, not why it was asked.
import type { Ask } from './control/types.js'
import { native } from './native.js'
import { reasonWord } from './reasons.js'

export interface AskResult {
  kind: 'result'
  value: number
  lost?: number[]
  reason?: string
}

/** Rings of one table that can be lost: all that a device may have. */
const MAX_RINGS = 256

const failedOr = (value: number): AskResult =>
  value < 0 ? { kind: 'result', value, reason: reasonWord(-value) } : { kind: 'result', value }

function withLost(call: (lost: Uint32Array) => number): AskResult {
  const lost = new Uint32Array(MAX_RINGS + 1)
  const value = call(lost)
  return { ...failedOr(value), lost: [...lost.subarray(1, 1 + lost[0])] }
}

/** All but `channel`, which is a socket and no matter of the device's. */
export function perform(device: number, ask: Exclude<Ask, { kind: 'channel' }>): AskResult {
  const addon = native()
  switch (ask.kind) {
    case 'map':
      return withLost(lost =>
        addon.deviceMap(device, BigUint64Array.from(ask.regions), Uint32Array.from(ask.fds), lost),
      )
    case 'add-region':
      return failedOr(addon.deviceAddRegion(device, BigUint64Array.from(ask.region), ask.fd))
    case 'remove-region':
      return withLost(lost => addon.deviceRemoveRegion(device, BigUint64Array.from(ask.region), lost))
    case 'set-log':
      return failedOr(addon.deviceLog(device, BigUint64Array.of(ask.size, ask.offset), ask.fd))
    case 'log-call':
      return failedOr(addon.deviceLogCall(device, ask.fd))
    case 'log-buffers':
      return failedOr(addon.deviceLogBuffers(device, ask.on))
    case 'log-ring':
      return failedOr(addon.ringLog(device, ask.ring, ask.on, ask.address))
    case 'mtu':
      return failedOr(addon.deviceMtu(device, ask.mtu))
    case 'ring-fd':
      return failedOr(addon.ringFd(device, ask.ring, ask.which, ask.fd))
    case 'start-ring': {
      const config = Uint32Array.of(ask.size, ask.base, ask.flags)
      // Native order: descriptors, used, available, log.
      return failedOr(
        addon.ringStart(device, ask.ring, config, BigUint64Array.from(ask.addresses), ask.features),
      )
    }
    case 'stop-ring':
      // -1 is an answer (it was not running), not a reason.
      return { kind: 'result', value: addon.ringStop(device, ask.ring) }
  }
}
