// The messages with which a front end starts a device, stops it and starts it again, in the order of DPDK's virtio-user.
// life.ts calls these functions, and they send through connection.ts. They hold no state, and return the negotiated
// features to the caller.
import { VhostError } from '../errors.js'
import type { Connection } from './connection.js'
import {
  address,
  F_LOG_ALL,
  F_PROTOCOL_FEATURES,
  logPlace,
  memoryTable,
  oneRegion,
  PROTOCOL_LOG_SHMFD,
  PROTOCOL_MEM_SLOTS,
  PROTOCOL_MQ,
  PROTOCOL_REPLY_ACK,
  PROTOCOL_STATUS,
  REQUEST,
  type Region,
  type RingAddresses,
  readState,
  readU64,
  STATUS_FEATURES_OK,
  STATUS_RUNNING,
  state,
  u64,
} from './wire.js'

/** Rings of a pair: to guest, from guest. */
export const RINGS = [0, 1] as const

/** The features that guest and back end have negotiated. */
export interface Agreement {
  /** Offered by the back end. */
  offered: bigint
  /** Acknowledged by the front end, including VHOST_USER_F_PROTOCOL_FEATURES. */
  features: bigint
  /** Acknowledged bits of VHOST_USER_PROTOCOL_F. */
  protocolFeatures: bigint
}

/** The shared memory as the messages describe it. A token names an fd that the addon owns; the caller keeps it open. */
export interface SharedMemory {
  token: number
  regions: Region[]
  /**
   * Rings 2k and 2k + 1 are pair k's. `usedAt`: offset of the used ring; `log`: guest address of the used ring, for the
   * dirty log.
   */
  rings: {
    addresses: RingAddresses
    log: bigint
    size: number
    usedAt: number
    kick: number
    call: number
  }[]
  /** Send the regions one by one, with ADD_MEM_REG. */
  slots: boolean
}

export interface DirtyLog {
  token: number
  size: bigint
}

/** Negotiates the features. `pairs`: number of queue pairs that are needed. */
export async function negotiate(connection: Connection, wanted: bigint, pairs: number): Promise<Agreement> {
  connection.tell(REQUEST.SET_OWNER)
  const offered = readU64(await connection.ask(REQUEST.GET_FEATURES))
  const features = offered & wanted
  let protocolFeatures = 0n
  if (features & F_PROTOCOL_FEATURES) {
    protocolFeatures = readU64(await connection.ask(REQUEST.GET_PROTOCOL_FEATURES))
    const several = pairs > 1 ? PROTOCOL_MQ : 0n
    protocolFeatures &=
      PROTOCOL_REPLY_ACK | PROTOCOL_STATUS | PROTOCOL_LOG_SHMFD | PROTOCOL_MEM_SLOTS | several
    connection.tell(REQUEST.SET_PROTOCOL_FEATURES, u64(protocolFeatures))
  }
  const several = (protocolFeatures & PROTOCOL_MQ) !== 0n
  const offeredPairs = several ? readU64(await connection.ask(REQUEST.GET_QUEUE_NUM)) : 1n
  if (offeredPairs < BigInt(pairs))
    throw new VhostError(
      'ERR_VHOST_PROTOCOL',
      `${pairs} queue pairs are needed, and the back end offers ${offeredPairs}`,
    )
  return { offered, features, protocolFeatures }
}

/** Asks for an acknowledgement if REPLY_ACK was negotiated; otherwise only sends. */
async function order(
  connection: Connection,
  agreed: Agreement,
  request: number,
  payload: Uint8Array,
  fds?: number[],
) {
  if (agreed.protocolFeatures & PROTOCOL_REPLY_ACK) await connection.order(request, payload, fds)
  else connection.tell(request, payload, fds)
}

async function setStatus(connection: Connection, agreed: Agreement, status: bigint) {
  if (agreed.protocolFeatures & PROTOCOL_STATUS)
    await order(connection, agreed, REQUEST.SET_STATUS, u64(status))
}

/** Sends the messages that a front end sends when the driver sets FEATURES_OK. */
export async function acceptFeatures(
  connection: Connection,
  agreed: Agreement,
  shared: SharedMemory,
): Promise<void> {
  for (const [ring, { call }] of shared.rings.entries())
    connection.tell(REQUEST.SET_VRING_CALL, u64(BigInt(ring)), [call])
  connection.tell(REQUEST.SET_FEATURES, u64(agreed.features))
  await setStatus(connection, agreed, STATUS_FEATURES_OK)
}

/**
 * Sends the messages that follow when the driver sets DRIVER_OK. `bases`: the available index at which each ring
 * continues.
 */
export async function startRings(
  connection: Connection,
  agreed: Agreement,
  shared: SharedMemory,
  bases: number[],
): Promise<void> {
  await sendMemory(connection, agreed, shared)
  for (const [ring, { addresses, size, kick, call }] of shared.rings.entries()) {
    connection.tell(REQUEST.SET_VRING_NUM, state(ring, size))
    connection.tell(REQUEST.SET_VRING_BASE, state(ring, bases[ring]))
    connection.tell(REQUEST.SET_VRING_ADDR, address(ring, addresses))
    connection.tell(REQUEST.SET_VRING_KICK, u64(BigInt(ring)), [kick])
    // A back end drops the call fd at GET_VRING_BASE; QEMU sends it again after the kick fd.
    connection.tell(REQUEST.SET_VRING_CALL, u64(BigInt(ring)), [call])
  }
  // Without protocol features a ring is enabled from the start (vhost-user: "Ring states").
  if (agreed.features & F_PROTOCOL_FEATURES)
    for (const ring of shared.rings.keys()) connection.tell(REQUEST.SET_VRING_ENABLE, state(ring, 1))
  await setStatus(connection, agreed, STATUS_RUNNING)
  await barrier(connection)
}

/** Waits until the back end has handled all earlier messages: it asks for something and waits for the reply. */
export async function barrier(connection: Connection): Promise<void> {
  await connection.ask(REQUEST.GET_FEATURES)
}

async function sendMemory(
  connection: Connection,
  agreed: Agreement,
  { regions, token, slots }: SharedMemory,
) {
  if (!slots) {
    const fds = regions.map(() => token)
    await order(connection, agreed, REQUEST.SET_MEM_TABLE, memoryTable(regions), fds)
  } else
    for (const region of regions)
      await order(connection, agreed, REQUEST.ADD_MEM_REG, oneRegion(region), [token])
}

/** Sends what a front end sends when a migration begins: from the last reply on, writes are marked. */
export async function startLog(
  connection: Connection,
  agreed: Agreement,
  shared: SharedMemory,
  { token, size }: DirtyLog,
): Promise<void> {
  await connection.ask(REQUEST.SET_LOG_BASE, logPlace(size, 0n), [token])
  await order(connection, agreed, REQUEST.SET_FEATURES, u64(agreed.features | F_LOG_ALL))
  for (const [ring, { addresses, log }] of shared.rings.entries())
    await order(connection, agreed, REQUEST.SET_VRING_ADDR, address(ring, addresses, log))
  await barrier(connection)
}

/** Sends what a front end sends when a migration is cancelled: writes are no longer marked. */
export async function stopLog(
  connection: Connection,
  agreed: Agreement,
  shared: SharedMemory,
): Promise<void> {
  await order(connection, agreed, REQUEST.SET_FEATURES, u64(agreed.features))
  for (const [ring, { addresses }] of shared.rings.entries())
    await order(connection, agreed, REQUEST.SET_VRING_ADDR, address(ring, addresses))
  await barrier(connection)
}

/** Enables or disables some rings and stops none, as QEMU does when a driver changes its number of channels. */
export function enableRings(connection: Connection, rings: readonly number[], on: boolean): void {
  for (const ring of rings) connection.tell(REQUEST.SET_VRING_ENABLE, state(ring, on ? 1 : 0))
}

/** Stops all rings. Returns the available index at which the back end stopped each one. */
export async function stopRings(
  connection: Connection,
  agreed: Agreement,
  shared: SharedMemory,
): Promise<number[]> {
  const rings = [...shared.rings.keys()]
  if (agreed.features & F_PROTOCOL_FEATURES) enableRings(connection, rings, false)
  const answers = await Promise.all(rings.map(ring => connection.ask(REQUEST.GET_VRING_BASE, state(ring, 0))))
  return answers.map(answer => readState(answer).value & 0xffff)
}

/** Sends what a front end sends when the driver resets the device, after the rings have stopped. */
export async function resetStatus(connection: Connection, agreed: Agreement): Promise<void> {
  await setStatus(connection, agreed, 0n)
}
