// The table of requests: one row each, with what is checked for all in one place. What has no row is unknown to us,
// whether or not the protocol knows it, and is refused in the same polite way (session.ts).

import { REGION_SIZE, TABLE_HEADER_SIZE } from './codec.js'
import * as device from './device-requests.js'
import type { Draft } from './draft.js'
import * as log from './log-requests.js'
import { MAX_REGIONS } from './memory.js'
import * as memory from './memory-requests.js'
import * as net from './net-requests.js'
import * as ring from './ring-requests.js'
import type { Ask, Message, State } from './types.js'

export interface Handler {
  /** Checks, changing nothing: the asks to make, or the reason for a refusal. */
  begin?(state: State, message: Message): Ask[] | string
  /** Changes the state, after all asks have succeeded; the payload of the request's own reply, if it has one. */
  // biome-ignore lint/suspicious/noConfusingVoidType: most requests have no reply of their own
  finish?(draft: Draft, message: Message): Uint8Array | void
  /** Says more about a refusal than its reason. */
  refuse?(draft: Draft, message: Message): void
  /** It has taken effect even if a ring can't run because of it. */
  mayCostRings?: boolean
}

export interface Request {
  id: number
  name: string
  /** Payload, in bytes: at least and at most. */
  size: readonly [number, number]
  /** fds: at least and at most. */
  fds: readonly [number, number]
  handler: Handler
}

const NONE = [0, 0] as const
const WORD = [8, 8] as const
const ADDRESSES = [40, 40] as const
const TABLE = [TABLE_HEADER_SIZE, TABLE_HEADER_SIZE + MAX_REGIONS * REGION_SIZE] as const
const REGION = [TABLE_HEADER_SIZE + REGION_SIZE, TABLE_HEADER_SIZE + REGION_SIZE] as const
/** Of a message that is its fd: some front ends send a word with it. */
const ONE_FDS_WORD = [0, 8] as const
const NO_FDS = [0, 0] as const
const ONE = [1, 1] as const
const MAYBE_ONE = [0, 1] as const

const row = (
  id: number,
  name: string,
  size: Request['size'],
  fds: Request['fds'],
  handler: Handler,
): Request => ({ id, name, size, fds, handler })

export const requests: readonly Request[] = [
  row(1, 'GET_FEATURES', NONE, NO_FDS, device.getFeatures),
  row(2, 'SET_FEATURES', WORD, NO_FDS, device.setFeatures),
  row(3, 'SET_OWNER', NONE, NO_FDS, device.setOwner),
  row(4, 'RESET_OWNER', NONE, NO_FDS, device.resetOwner),
  row(5, 'SET_MEM_TABLE', TABLE, [0, MAX_REGIONS], memory.setMemTable),
  row(6, 'SET_LOG_BASE', [16, 16], ONE, log.setLogBase),
  row(7, 'SET_LOG_FD', ONE_FDS_WORD, ONE, log.setLogFd),
  row(8, 'SET_VRING_NUM', WORD, NO_FDS, ring.setVringNum),
  row(9, 'SET_VRING_ADDR', ADDRESSES, NO_FDS, ring.setVringAddr),
  row(10, 'SET_VRING_BASE', WORD, NO_FDS, ring.setVringBase),
  row(11, 'GET_VRING_BASE', WORD, NO_FDS, ring.getVringBase),
  row(12, 'SET_VRING_KICK', WORD, MAYBE_ONE, ring.setVringKick),
  row(13, 'SET_VRING_CALL', WORD, MAYBE_ONE, ring.setVringCall),
  row(14, 'SET_VRING_ERR', WORD, MAYBE_ONE, ring.setVringErr),
  row(15, 'GET_PROTOCOL_FEATURES', NONE, NO_FDS, device.getProtocolFeatures),
  row(16, 'SET_PROTOCOL_FEATURES', WORD, NO_FDS, device.setProtocolFeatures),
  row(17, 'GET_QUEUE_NUM', NONE, NO_FDS, device.getQueueNum),
  row(18, 'SET_VRING_ENABLE', WORD, NO_FDS, ring.setVringEnable),
  row(19, 'SEND_RARP', WORD, NO_FDS, net.sendRarp),
  row(20, 'NET_SET_MTU', WORD, NO_FDS, net.netSetMtu),
  row(21, 'SET_BACKEND_REQ_FD', ONE_FDS_WORD, ONE, net.setBackendReqFd),
  row(24, 'GET_CONFIG', net.CONFIG_SIZE, NO_FDS, net.getConfig),
  row(25, 'SET_CONFIG', net.CONFIG_SIZE, NO_FDS, net.setConfig),
  row(34, 'RESET_DEVICE', NONE, NO_FDS, net.resetDevice),
  row(36, 'GET_MAX_MEM_SLOTS', NONE, NO_FDS, memory.getMaxMemSlots),
  row(37, 'ADD_MEM_REG', REGION, ONE, memory.addMemReg),
  row(38, 'REM_MEM_REG', REGION, MAYBE_ONE, memory.remMemReg),
  row(39, 'SET_STATUS', WORD, NO_FDS, device.setStatus),
  row(40, 'GET_STATUS', NONE, NO_FDS, device.getStatus),
]

const byId = new Map(requests.map(request => [request.id, request]))

export const requestOf = (id: number): Request | undefined => byId.get(id)
export const requestName = (id: number): string => byId.get(id)?.name ?? `request ${id}`

/** What is wrong with a message before its handler sees it. */
export function shapeFault(request: Request, { payload, fds }: Message): string | undefined {
  if (payload.length < request.size[0] || payload.length > request.size[1]) return 'msg_size'
  if (fds.length < request.fds[0] || fds.length > request.fds[1]) return 'msg_fds'
  return undefined
}
