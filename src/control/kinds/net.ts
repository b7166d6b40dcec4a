// The network device as a kind of device: its features, its rings, the condition for `ready`, and the requests that only
// this kind has. (virtio 1.2, 5.1; vhost-user, VHOST_USER_SEND_RARP, _NET_SET_MTU.)
import { decodeU64 } from '../codec.js'
import { mac, number } from '../decoders.js'
import { hasProtocol, protocolMask, virtioMask } from '../features.js'
import { gate } from '../gate.js'
import { type Handler, NO_FDS, row, WORD } from '../handler.js'
import type { DeviceKind } from '../kind.js'

/** The MAC address is in the low six bytes of the word, in order of transmission. */
const macOf = (payload: Uint8Array): string =>
  Array.from(payload.subarray(0, 6), byte => byte.toString(16).padStart(2, '0')).join(':')

/** Returns true for the address of one station, which is neither a group address nor all zeros. */
const isStation = (mac: string): boolean => mac !== '00:00:00:00:00:00' && !(Number.parseInt(mac, 16) & 1)

/** The guest was migrated to this host and can't announce itself: the program tells the switch its new port. */
const sendRarp: Handler = {
  begin: gate('RARP', () => []),
  finish(draft, { payload }) {
    const mac = macOf(payload)
    if (isStation(mac)) draft.tell({ type: 'rarp', mac })
  },
}

/** IPv4 requires at least 68 bytes of every link. */
const MIN_MTU = 68n

const netSetMtu: Handler = {
  begin: gate('MTU', (state, payload) => {
    const mtu = decodeU64(payload)
    if (mtu < MIN_MTU || mtu > BigInt(state.offered.maxMtu)) return 'mtu_range'
    return [{ kind: 'mtu', mtu: Number(mtu) }]
  }),
  finish(draft, { payload }) {
    const mtu = Number(decodeU64(payload))
    // QEMU sends this request at every start.
    if (mtu !== draft.state.mtu) draft.tell({ type: 'mtu', mtu })
    draft.state.mtu = mtu
  },
}

export const net: DeviceKind = {
  // The front end implements the control ring (CTRL_VQ, CTRL_RX, GUEST_ANNOUNCE). It offers these bits to its guest
  // only if the back end offers them, too.
  features: virtioMask(
    ...(['CSUM', 'GUEST_CSUM', 'MTU', 'MRG_RXBUF', 'CTRL_VQ', 'CTRL_RX', 'GUEST_ANNOUNCE', 'MQ'] as const),
    ...(['GUEST_TSO4', 'GUEST_TSO6', 'GUEST_ECN', 'GUEST_UFO'] as const),
    ...(['HOST_TSO4', 'HOST_TSO6', 'HOST_ECN', 'HOST_UFO'] as const),
    ...(['LOG_ALL', 'ANY_LAYOUT', 'INDIRECT_DESC', 'EVENT_IDX', 'PROTOCOL_FEATURES', 'VERSION_1'] as const),
  ),
  protocolFeatures: protocolMask(
    ...(['MQ', 'LOG_SHMFD', 'RARP', 'REPLY_ACK', 'MTU', 'CONFIGURE_MEM_SLOTS', 'STATUS'] as const),
  ),
  // QEMU 7.1 and 7.2 crash if a network device offers CONFIG. So it is offered only if the program asks for it.
  configProtocolFeatures: protocolMask('CONFIG', 'BACKEND_REQ'),
  // The two rings of the first pair.
  firstRings: 2,
  // Rings beyond the first pair need the protocol feature MQ.
  ringLimit: ({ offered, protocolFeatures }) =>
    hasProtocol(protocolFeatures, 'MQ') ? 2 * offered.queuePairs : 2,
  // QEMU's network devices count pairs.
  queueNum: ({ offered }) => offered.queuePairs,
  // The guest chooses how many of the other pairs it uses, although the front end sets up all that it was configured
  // with.
  isReady: ({ rings }) => rings[0].running && rings[1].running,
  requests: [
    row(19, 'SEND_RARP', WORD, NO_FDS, sendRarp, { request: mac }),
    row(20, 'NET_SET_MTU', WORD, NO_FDS, netSetMtu, { request: number }),
  ],
}
