// The process at the other end of a Unix socket, as the kernel stored it at the time of the connect (SO_PEERCRED,
// unix(7)). A peer can't forge it.
import { type FdToken, native } from '../addon/native.js'

/**
 * The process at the other end of a socket, as the kernel knows it. For a listener it is the process that called
 * listen().
 */
export interface PeerCredentials {
  /** Process. */
  pid: number
  /** User. */
  uid: number
  /** Group. */
  gid: number
}

const room = new Int32Array(3)

/** Returns undefined if the kernel gives no credentials. */
export function peerOf(socket: FdToken): PeerCredentials | undefined {
  return native().socketPeer(socket, room) < 0 ? undefined : { pid: room[0], uid: room[1], gid: room[2] }
}
