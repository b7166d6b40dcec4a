// Requests about the network device that its rings do not show: the MTU, announcements of its address, its
// configuration space, the channel back to the front end, and its reset. (vhost-user, VHOST_USER_SEND_RARP,
// _NET_SET_MTU, _SET_BACKEND_REQ_FD, _GET_CONFIG, _SET_CONFIG, _RESET_DEVICE; virtio 1.2, 5.1.4.)
import { CONFIG_HEADER_SIZE, decodeConfig, decodeU64, encodeConfig } from './codec.js'
import type { Draft } from './draft.js'
import { hasProtocol, hasVirtio, type ProtocolFeature } from './features.js'
import type { Handler } from './requests.js'
import { type Ask, newRing, type State } from './types.js'

const gate =
  (feature: ProtocolFeature, then: (state: State, payload: Uint8Array) => Ask[] | string): Handler['begin'] =>
  (state, { payload }) =>
    hasProtocol(state.protocolFeatures, feature) ? then(state, payload) : 'feature_gate'

/** Six bytes in the low ones of the word, the first first. */
const macOf = (payload: Uint8Array): string =>
  Array.from(payload.subarray(0, 6), byte => byte.toString(16).padStart(2, '0')).join(':')

/** The address of one station: not a group's, not none. */
const isStation = (mac: string): boolean => mac !== '00:00:00:00:00:00' && !(Number.parseInt(mac, 16) & 1)

/** The guest has moved here and can't announce itself: its switch is to learn where it is now. */
export const sendRarp: Handler = {
  begin: gate('RARP', () => []),
  finish(draft, { payload }) {
    const mac = macOf(payload)
    if (isStation(mac)) draft.tell({ type: 'rarp', mac })
  },
}

/** IPv4 asks for 68 of every link; the field has 16 bits. */
const MIN_MTU = 68n

export const netSetMtu: Handler = {
  begin: gate('MTU', (state, payload) => {
    const mtu = decodeU64(payload)
    if (mtu < MIN_MTU || mtu > BigInt(state.offered.maxMtu)) return 'mtu_range'
    return [{ kind: 'mtu', mtu: Number(mtu) }]
  }),
  finish(draft, { payload }) {
    const mtu = Number(decodeU64(payload))
    // QEMU sends it at every start.
    if (mtu !== draft.state.mtu) draft.tell({ type: 'mtu', mtu })
    draft.state.mtu = mtu
  },
}

export const setBackendReqFd: Handler = {
  begin: (state, { fds }) =>
    hasProtocol(state.protocolFeatures, 'BACKEND_REQ') ? [{ kind: 'channel', fd: fds[0] }] : 'feature_gate',
}

/** What is asked for; undefined when it is not all there. */
function configPart(state: State, payload: Uint8Array): { offset: number; bytes: Uint8Array } | undefined {
  const { offset, size, bytes } = decodeConfig(payload)
  const fits = bytes.length === size && offset + size <= (state.config?.length ?? 0)
  return fits && size > 0 ? { offset, bytes } : undefined
}

/** An answer without a payload says that there is none. */
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

/** From our side: the front end is told that it should ask again, if it can be. */
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

/** As after connecting, but for the protocol's own state: connection, protocol features, memory. */
export const resetDevice: Handler = {
  begin: gate('RESET_DEVICE', state => [
    ...state.rings.flatMap((ring, i): Ask[] => [
      ...(ring.running ? [{ kind: 'stop-ring', ring: i, reason: 'reset' } as const] : []),
      ...(ring.kick === 'fd' ? [{ kind: 'ring-fd', ring: i, which: 0, fd: 0 } as const] : []),
      ...(ring.call === 'fd' ? [{ kind: 'ring-fd', ring: i, which: 1, fd: 0 } as const] : []),
    ]),
    ...(hasVirtio(state.features, 'LOG_ALL') ? [{ kind: 'log-buffers', on: false } as const] : []),
  ]),
  finish({ state }) {
    state.rings = state.rings.map(() => ({ ...newRing(), enabled: false }))
    Object.assign(state, { features: 0n, negotiated: false, status: 0, leaving: true })
  },
}
