// The front end's side of the messages, as src/guest has it, and what only a hostile one needs.
import { REQUEST as KNOWN } from '../../../src/guest/wire.js'

export * from '../../../src/guest/wire.js'
export const REQUEST = {
  ...KNOWN,
  RESET_OWNER: 4,
  SET_LOG_FD: 7,
  GET_QUEUE_NUM: 17,
  SEND_RARP: 19,
  NET_SET_MTU: 20,
  SET_BACKEND_REQ_FD: 21,
  REM_MEM_REG: 38,
} as const

/** VHOST_USER_PROTOCOL_F_REPLY_ACK alone: rings then run without a status. */
export const PROTOCOL_ACK = 1n << 3n
const protocol = (...bits: number[]): bigint =>
  bits.reduce((mask, n) => mask | (1n << BigInt(n)), PROTOCOL_ACK)
/** And LOG_SHMFD and CONFIGURE_MEM_SLOTS. */
export const PROTOCOL_MIGRATES = protocol(1, 15)
/** And RARP, MTU, BACKEND_REQ, CONFIG. */
export const PROTOCOL_NET = protocol(2, 4, 5, 9)

const bit = (n: number): bigint => 1n << BigInt(n)
const plain = bit(30) | bit(32)
export const FEATURE_BITS = {
  MRG_RXBUF: bit(15),
  INDIRECT: bit(28),
  EVENT_IDX: bit(29),
  CSUM: bit(0),
  HOST_TSO4: bit(11),
  /** VERSION_1 and PROTOCOL_FEATURES. */
  plain,
  /** And indirect descriptors; no event index: every kick is wanted, and every call made. */
  usual: plain | bit(28),
}
