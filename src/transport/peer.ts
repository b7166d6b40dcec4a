// The process at the other end of a Unix socket, as the kernel noted it when it connected (SO_PEERCRED, unix(7)). A peer
// can't forge it.
import { type FdToken, native } from '../addon/native.js'

/** The process at the other end of a socket, as the kernel knows it. Of a listener: whoever called listen(). */
export interface PeerCredentials {
  /** Process. */
  pid: number
  /** User. */
  uid: number
  /** Group. */
  gid: number
}

const room = new Int32Array(3)

/** undefined if the kernel would not say. */
export function peerOf(socket: FdToken): PeerCredentials | undefined {
  return native().socketPeer(socket, room) < 0 ? undefined : { pid: room[0], uid: room[1], gid: room[2] }
}
