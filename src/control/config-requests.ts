// Requests about the configuration space, and about the channel that tells the front end of changes to it.
// (vhost-user, VHOST_USER_GET_CONFIG, _SET_CONFIG, _SET_BACKEND_REQ_FD, BACKEND_CONFIG_CHANGE_MSG.)
import { CONFIG_HEADER_SIZE, decodeConfig, encodeConfig } from './codec.js'
import type { Draft } from './draft.js'
import { hasProtocol } from './features.js'
import { gate } from './gate.js'
import type { Handler } from './handler.js'
import type { State } from './types.js'

export const setBackendReqFd: Handler = {
  begin: (state, { fds }) =>
    hasProtocol(state.protocolFeatures, 'BACKEND_REQ') ? [{ kind: 'channel', fd: fds[0] }] : 'feature_gate',
}

/** The bytes that the request names; undefined if some of them lie outside the configuration space. */
function configPart(state: State, payload: Uint8Array): { offset: number; bytes: Uint8Array } | undefined {
  const { offset, size, bytes } = decodeConfig(payload)
  const fits = bytes.length === size && offset + size <= (state.config?.length ?? 0)
  return fits && size > 0 ? { offset, bytes } : undefined
}

/** A reply without a payload tells the front end that the request failed. */
export const getConfig: Handler = {
  begin: gate('CONFIG', () => []),
  finish({ state }, { payload }) {
    const part = configPart(state, payload)
    if (!part || !state.config) return new Uint8Array()
    const { offset, bytes } = part
    return encodeConfig(offset, state.config.subarray(offset, offset + bytes.length))
  },
}

export const setConfig: Handler = {
  begin: gate('CONFIG', (state, payload) => (configPart(state, payload) ? [] : 'msg_value')),
  finish(draft, { payload }) {
    const part = configPart(draft.state, payload)
    if (!part || !draft.state.config) return
    const config = draft.state.config.slice()
    config.set(part.bytes, part.offset)
    draft.state.config = config
    draft.tell({ type: 'config', offset: part.offset, bytes: part.bytes.slice() })
  },
}

/** The program changed the configuration space: tells the front end to read it again, if there is a channel. */
export function changeConfig(draft: Draft, bytes: Uint8Array): void {
  const { state } = draft
  if (!hasProtocol(state.offered.protocolFeatures, 'CONFIG')) return
  state.config = bytes.slice()
  if (hasProtocol(state.protocolFeatures, 'BACKEND_REQ'))
    draft.effects.push({ kind: 'tell-front-end', request: CONFIG_CHANGED })
}

/** VHOST_USER_BACKEND_CONFIG_CHANGE_MSG */
const CONFIG_CHANGED = 2
export const CONFIG_SIZE = [CONFIG_HEADER_SIZE, CONFIG_HEADER_SIZE + 256] as const
