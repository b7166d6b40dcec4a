// The dirty log of a guest's memory, from the front end's side: a file with one bit for each page. The back end
// sets the bit when it writes to the page (vhost-user, "Migration"). life.ts calls this file; it calls session.ts.

import { errnoName, native } from '../addon/native.js'
import { VhostError } from '../errors.js'
import type { Connection } from './connection.js'
import { type Agreement, type SharedMemory, startLog } from './session.js'
import { F_LOG_ALL, PROTOCOL_LOG_SHMFD } from './wire.js'

/** The most pages that one native call reports. */
const PAGES_A_CALL = 1024

/**
 * Gives the back end an empty log. After the last reply the back end marks each page that it writes. `handle`: the
 * native guest.
 */
export async function startDirtyLog(
  handle: number,
  connection: Connection,
  agreed: Agreement,
  shared: SharedMemory,
): Promise<void> {
  if (!(agreed.protocolFeatures & PROTOCOL_LOG_SHMFD) || !(agreed.offered & F_LOG_ALL))
    throw new VhostError('ERR_VHOST_PROTOCOL', 'startLog(): the back end does not offer a dirty log')
  const size = new Float64Array(1)
  const token = native().guestLogOpen(handle, size)
  if (token < 0)
    throw new VhostError(
      'ERR_VHOST_PROTOCOL',
      `the file for the dirty log can't be made (${errnoName(token)})`,
    )
  try {
    await startLog(connection, agreed, shared, { token, size: BigInt(size[0]) })
  } finally {
    native().closeFd(token)
  }
}

/** Returns the numbers of the marked pages and clears their marks. Empty if the guest is closed. */
export function takeDirtyPages(handle: number): number[] {
  const some = new Uint32Array(PAGES_A_CALL)
  const all: number[] = []
  const take = (): number => native().guestLogTake(handle, some)
  for (let count = take(); count > 0; count = take()) all.push(...some.subarray(0, count))
  return all
}
