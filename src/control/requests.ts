// The table of requests, with one row per request, and the check of a message's shape. session.ts refuses a request
// without a row, even if the specification has it, and the connection stays open.

import { REGION_SIZE, TABLE_HEADER_SIZE } from './codec.js'
import * as config from './config-requests.js'
import * as decode from './decoders.js'
import * as device from './device-requests.js'
import { MAYBE_ONE, NO_FDS, NONE, ONE, type Request, row, WORD } from './handler.js'
import { kinds } from './kinds/index.js'
import * as log from './log-requests.js'
import { MAX_REGIONS } from './memory.js'
import * as memory from './memory-requests.js'
import type { Refusal } from './refusals.js'
import * as ring from './ring-requests.js'
import type { KindName, Message } from './types.js'

const ADDRESSES = [40, 40] as const
const TABLE = [TABLE_HEADER_SIZE, TABLE_HEADER_SIZE + MAX_REGIONS * REGION_SIZE] as const
const REGION = [TABLE_HEADER_SIZE + REGION_SIZE, TABLE_HEADER_SIZE + REGION_SIZE] as const
/** The payload of a message that only carries an fd. Some front ends add a word. */
const ONE_FDS_WORD = [0, 8] as const
/** The requests that every kind of device has. */
const common: readonly Request[] = [
  row(1, 'GET_FEATURES', NONE, NO_FDS, device.getFeatures, { reply: decode.features }),
  row(2, 'SET_FEATURES', WORD, NO_FDS, device.setFeatures, { request: decode.features }),
  row(3, 'SET_OWNER', NONE, NO_FDS, device.setOwner),
  row(4, 'RESET_OWNER', NONE, NO_FDS, device.resetOwner),
  row(5, 'SET_MEM_TABLE', TABLE, [0, MAX_REGIONS], memory.setMemTable, { request: decode.table }),
  row(6, 'SET_LOG_BASE', [16, 16], ONE, log.setLogBase, { request: decode.log }),
  row(7, 'SET_LOG_FD', ONE_FDS_WORD, ONE, log.setLogFd),
  row(8, 'SET_VRING_NUM', WORD, NO_FDS, ring.setVringNum, { request: decode.ringState }),
  row(9, 'SET_VRING_ADDR', ADDRESSES, NO_FDS, ring.setVringAddr, { request: decode.addresses }),
  row(10, 'SET_VRING_BASE', WORD, NO_FDS, ring.setVringBase, { request: decode.ringState }),
  row(11, 'GET_VRING_BASE', WORD, NO_FDS, ring.getVringBase, {
    request: decode.ringState,
    reply: decode.ringState,
  }),
  row(12, 'SET_VRING_KICK', WORD, MAYBE_ONE, ring.setVringKick, { request: decode.notifier }),
  row(13, 'SET_VRING_CALL', WORD, MAYBE_ONE, ring.setVringCall, { request: decode.notifier }),
  row(14, 'SET_VRING_ERR', WORD, MAYBE_ONE, ring.setVringErr, { request: decode.notifier }),
  row(15, 'GET_PROTOCOL_FEATURES', NONE, NO_FDS, device.getProtocolFeatures, {
    reply: decode.protocolFeatures,
  }),
  row(16, 'SET_PROTOCOL_FEATURES', WORD, NO_FDS, device.setProtocolFeatures, {
    request: decode.protocolFeatures,
  }),
  row(17, 'GET_QUEUE_NUM', NONE, NO_FDS, device.getQueueNum, { reply: decode.number }),
  row(18, 'SET_VRING_ENABLE', WORD, NO_FDS, ring.setVringEnable, { request: decode.ringState }),
  row(21, 'SET_BACKEND_REQ_FD', ONE_FDS_WORD, ONE, config.setBackendReqFd),
  row(24, 'GET_CONFIG', config.CONFIG_SIZE, NO_FDS, config.getConfig, {
    request: decode.config,
    reply: decode.config,
  }),
  row(25, 'SET_CONFIG', config.CONFIG_SIZE, NO_FDS, config.setConfig, { request: decode.config }),
  row(34, 'RESET_DEVICE', NONE, NO_FDS, device.resetDevice),
  row(36, 'GET_MAX_MEM_SLOTS', NONE, NO_FDS, memory.getMaxMemSlots, { reply: decode.number }),
  row(37, 'ADD_MEM_REG', REGION, ONE, memory.addMemReg, { request: decode.region }),
  row(38, 'REM_MEM_REG', REGION, MAYBE_ONE, memory.remMemReg, { request: decode.region }),
  row(39, 'SET_STATUS', WORD, NO_FDS, device.setStatus, { request: decode.word }),
  row(40, 'GET_STATUS', NONE, NO_FDS, device.getStatus, { reply: decode.word }),
]

/** All requests, including those of every kind. */
export const requests: readonly Request[] = [
  ...common,
  ...Object.values(kinds).flatMap(kind => kind.requests),
]

const byId = new Map(requests.map(request => [request.id, request]))
const tables = Object.fromEntries(
  Object.entries(kinds).map(([name, kind]) => [
    name,
    new Map([...common, ...kind.requests].map(request => [request.id, request])),
  ]),
) as Record<KindName, Map<number, Request>>

/** Returns the row of a request, if this kind of device has the request. */
export const requestFor = (kind: KindName, id: number): Request | undefined => tables[kind].get(id)
/** Returns the row of a request, of whatever kind. */
export const requestOf = (id: number): Request | undefined => byId.get(id)
export const requestName = (id: number): string => byId.get(id)?.name ?? `request ${id}`

/** Returns the reason to refuse a message before its handler sees it, or undefined. */
export function shapeFault(request: Request, { payload, fds }: Message): Refusal | undefined {
  if (payload.length < request.size[0] || payload.length > request.size[1]) return 'msg_size'
  if (fds.length < request.fds[0] || fds.length > request.fds[1]) return 'msg_fds'
  return undefined
}
