// Controls who may connect: the group of a socket file by name, and a list of processes that are accepted. The kernel
// names the process (SO_PEERCRED, unix(7)), so a peer can't forge it.
import { readFileSync } from 'node:fs'
import { VhostError } from '../errors.js'
import type { PeerCredentials } from './peer.js'

/** A peer is accepted if any of the lists has it. A function decides alone. */
export type PeerAllowList =
  | { uids?: readonly number[]; gids?: readonly number[]; pids?: readonly number[] }
  | ((peer: PeerCredentials) => boolean)

/** `peer` is undefined if the kernel gave no credentials; the connection is then refused. */
export function isAllowed(list: PeerAllowList | undefined, peer: PeerCredentials | undefined): boolean {
  if (list === undefined) return true
  if (peer === undefined) return false
  if (typeof list === 'function') return asked(list, peer)
  const { uids, gids, pids } = list
  return Boolean(uids?.includes(peer.uid) || gids?.includes(peer.gid) || pids?.includes(peer.pid))
}

// If the function throws, the peer is refused, and the error is reported as an uncaught one.
function asked(list: (peer: PeerCredentials) => boolean, peer: PeerCredentials): boolean {
  try {
    return list(peer) === true
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
    return false
  }
}

/** Returns the number of a group from /etc/group, or the number that was given. */
export function groupId(group: number | string): number {
  if (typeof group === 'number') return group
  const line = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .find(entry => entry.startsWith(`${group}:`))
  const id = line?.split(':')[2]
  if (!id)
    throw new VhostError('ERR_VHOST_INVALID_ARGUMENT', `there is no group ${group} in /etc/group`, {
      fix: 'give its number, if it comes from elsewhere (getent group)',
    })
  return Number(id)
}
