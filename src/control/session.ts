// The vhost-user session of one connection, as a pure function: step(state, input) → { state, effects }. For a message
// it finds the row in the table of requests, makes the asks of its handler, reconciles the rings, and replies. While it
// waits for native code, the session is pending, and only the result of the ask changes its state. (vhost-user
// "Communication".)
import { encodeReply, encodeU64, FLAG_NEED_REPLY } from './codec.js'
import { changeConfig } from './config-requests.js'
import { expectsMemory } from './device-requests.js'
import { Draft } from './draft.js'
import { abandon, close, closeFds, closeUnwanted } from './ending.js'
import { nextRingAsk, reportReady } from './reconcile.js'
import type { Refusal } from './refusals.js'
import { requestFor, requestName, shapeFault } from './requests.js'
import { applyResult } from './results.js'
import type { Effect, Input, Message, Pending, State } from './types.js'

export { isAsk } from './asks.js'
export { initialState, type SessionOptions } from './initial-state.js'

export interface Step {
  state: State
  effects: Effect[]
}

/** True while the session waits for the result of an ask. Other inputs are queued until then. */
export const isPending = (state: State): boolean => state.pending !== null

export function step(from: State, input: Input): Step {
  const draft = new Draft(from)
  const { state } = draft
  if (state.pending && input.kind === 'hang-up') abandon(draft, input.reason)
  else if (state.pending && input.kind !== 'result') state.backlog = [...state.backlog, input]
  else {
    accept(draft, input)
    while (!state.pending && state.backlog.length > 0) {
      const [next, ...later] = state.backlog
      state.backlog = later
      accept(draft, next)
    }
  }
  return { state, effects: draft.effects }
}

function accept(draft: Draft, input: Input): void {
  draft.latches = 0
  if (draft.state.closed) {
    if (input.kind === 'message') closeFds(draft, input.message.fds)
  } else if (input.kind === 'message') begin(draft, input.message)
  else if (input.kind === 'result') resume(draft, input)
  else if (input.kind === 'ring-fault') ringFault(draft, input)
  else if (input.kind === 'memory-fault') memoryFault(draft, input.detail)
  else if (input.kind === 'hang-up') close(draft, input.reason)
  else if (input.kind === 'config') changeConfig(draft, input.bytes)
  else if (input.kind === 'channel-lost') channelLost(draft, input.reason)
  else if (expectsMemory(draft.state)) draft.notShared()
}

// Messages

function begin(draft: Draft, message: Message): void {
  const request = requestFor(draft.state.kind, message.request)
  if (!request) {
    unknown(draft, message)
    return
  }
  const misshapen = shapeFault(request, message)
  const outcome = misshapen ?? request.handler.begin?.(draft.state, message) ?? []
  const asks = typeof outcome === 'string' ? [] : outcome
  const refused = typeof outcome === 'string' ? outcome : ''
  if (message.fds.length > 0) closeUnwanted(draft, message.fds, asks)
  if (refused && !misshapen) request.handler.refuse?.(draft, message)
  proceed(draft, { message, stage: 'body', asks, refused, failed: false, reply: null })
}

/** An unknown request does not close the connection, because newer front ends may send it. */
function unknown(draft: Draft, message: Message): void {
  closeFds(draft, message.fds)
  draft.tell({ type: 'refused', request: requestName(message.request), reason: 'msg_unknown' })
  if (message.flags & FLAG_NEED_REPLY) reply(draft, message, encodeU64(1n))
}

/** Continues until there is an ask, or until the message is finished and has its reply. */
function proceed(draft: Draft, pending: Pending): void {
  const { message, stage, refused } = pending
  let { reply } = pending
  if (stage === 'body') {
    if (pending.asks.length > 0) {
      ask(draft, pending)
      return
    }
    if (message && !refused)
      reply = requestFor(draft.state.kind, message.request)?.handler.finish?.(draft, message) ?? null
  }
  const next = nextRingAsk(draft)
  const failed = pending.failed || draft.latches > 0
  if (next) {
    ask(draft, { message, stage: 'reconcile', asks: [next], refused, failed, reply })
    return
  }
  reportReady(draft)
  if (message) answer(draft, message, refused, failed, reply)
}

function ask(draft: Draft, pending: Pending): void {
  draft.state.pending = pending
  draft.effects.push(pending.asks[0])
}

function resume(draft: Draft, { value, lost, reason, detail }: Input & { kind: 'result' }): void {
  const { pending } = draft.state
  if (!pending) return
  draft.state.pending = null
  const asked = pending.asks[0]
  const asks = pending.asks.slice(1)
  if (asked.kind === 'look-at-memory') {
    if (value > 0) memoryFault(draft, detail)
    else restart(draft, asked.ring)
    return
  }
  if (value >= 0 || asked.kind === 'stop-ring') {
    applyResult(draft, asked, value, lost ?? [])
    proceed(draft, { ...pending, asks })
    return
  }
  const why = reason ?? 'device_gone'
  if (asked.kind === 'start-ring') {
    if (why === 'memory_revoked') draft.revoke(detail, asked.ring)
    else draft.latch(asked.ring, why)
    proceed(draft, { ...pending, asks })
  } else {
    // Its other asks are not made. Rings that it stopped are started again.
    proceed(draft, { ...pending, asks: [], refused: why })
  }
}

function answer(
  draft: Draft,
  message: Message,
  refused: Refusal | '',
  failed: boolean,
  own: Uint8Array | null,
): void {
  if (refused) draft.tell({ type: 'refused', request: requestName(message.request), reason: refused })
  if (own) {
    reply(draft, message, own)
    return
  }
  // A ring that can't start is reported as a separate fault. A memory table takes effect even if a ring is outside it.
  const nak =
    refused !== '' || (failed && !requestFor(draft.state.kind, message.request)?.handler.mayCostRings)
  if (message.flags & FLAG_NEED_REPLY) reply(draft, message, encodeU64(nak ? 1n : 0n))
  // Without a reply, the front end would believe that its request took effect.
  else if (refused) close(draft, refused)
}

function reply(draft: Draft, message: Message, payload: Uint8Array): void {
  draft.effects.push({ kind: 'reply', bytes: encodeReply(message.request, payload) })
}

// Inputs that are not messages

const noMessage: Pending = {
  message: null,
  stage: 'reconcile',
  asks: [],
  refused: '',
  failed: false,
  reply: null,
}
/** The same, for an input with an ask. */
const told: Pending = { ...noMessage, stage: 'body' }

function ringFault(draft: Draft, { ring, reason }: Input & { kind: 'ring-fault' }): void {
  if (reason === 'mem_not_shared') draft.notShared(ring)
  else if (reason === 'memory_revoked') {
    // While this fault was queued, the front end may have sent other memory.
    if (!isWithoutMemory(draft)) proceed(draft, { ...told, asks: [{ kind: 'look-at-memory', ring }] })
  } else if (draft.state.rings[ring]?.running) {
    draft.latch(ring, reason)
    // Each blocked write stops all devices of the thread for a moment, so there is no second one.
    if (reason === 'call_stuck') close(draft, reason)
    else proceed(draft, noMessage)
  }
}

const isWithoutMemory = ({ state }: Draft): boolean => state.revoked || state.regions.length === 0

/** Restarts a ring that native code latched because of memory that has been replaced since. */
function restart(draft: Draft, ring: number): void {
  if (draft.state.rings[ring]?.running)
    proceed(draft, { ...told, asks: [{ kind: 'stop-ring', ring, reason: 'memory' }] })
}

/** Stops all rings. The front end can still ask for their bases. */
function memoryFault(draft: Draft, detail?: string): void {
  if (isWithoutMemory(draft)) return
  draft.revoke(detail)
  proceed(draft, noMessage)
}

/** The device continues without the channel, and requests to the front end are lost. */
function channelLost(draft: Draft, reason: string): void {
  draft.fault('ERR_VHOST_PROTOCOL', reason, 'the channel to the front end was closed')
}
