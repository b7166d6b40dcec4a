// Carries out those asks of a session that native code answers at once, by one call of the addon each.

import { native } from '../addon/native.js'
import { reasonWord } from '../addon/reasons.js'
import type { MemoryAsk } from '../control/asks.js'
import type { Refusal } from '../control/refusals.js'
import type { Ask } from '../control/types.js'

export interface AskResult {
  kind: 'result'
  value: number
  lost?: number[]
  reason?: Refusal
  /** More about the reason, if known. */
  detail?: string
}

/** Rings of one device. A change of memory can stop all of them. */
export const MAX_RINGS = 256

export const failedOr = (value: number): AskResult =>
  value < 0 ? { kind: 'result', value, reason: reasonWord(-value) } : { kind: 'result', value }

/** core/memory/backing.h: Loss. */
const losses = [undefined, 'truncated', 'no_backing', 'hardware']

/** For the reason `memory_revoked`, how the guest's memory was lost. Other reasons have no detail. */
const detailOf = (device: number, reason: string | undefined): string | undefined =>
  reason === 'memory_revoked' ? losses[native().deviceLoss(device)] : undefined

const startConfig = new Uint32Array(3)
/** Native order: descriptors, used, available, log. */
const startAddresses = new BigUint64Array(4)

/** Carries out all asks but `channel`, which needs a socket, and changes of memory. */
export function perform(device: number, ask: Exclude<Ask, { kind: 'channel' } | MemoryAsk>): AskResult {
  const addon = native()
  switch (ask.kind) {
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
      startConfig[0] = ask.size
      startConfig[1] = ask.base
      startConfig[2] = ask.flags
      startAddresses.set(ask.addresses)
      const result = failedOr(addon.ringStart(device, ask.ring, startConfig, startAddresses, ask.features))
      result.detail = detailOf(device, result.reason)
      return result
    }
    case 'look-at-memory': {
      const gone = addon.deviceRevoked(device)
      return { kind: 'result', value: gone, detail: detailOf(device, gone ? 'memory_revoked' : undefined) }
    }
    case 'stop-ring':
      // -1 is no reason: the ring was not running.
      return { kind: 'result', value: addon.ringStop(device, ask.ring) }
  }
}
