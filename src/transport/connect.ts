// Makes connections without a listener: by one attempt to connect to a path, or from an inherited fd.

import { errnoName, native } from '../addon/native.js'
import { VhostError } from '../errors.js'
import { Connection, type ConnectionOptions } from './connection.js'
import { pathFault } from './path.js'

const fixes: Record<string, string> = {
  ENOENT: 'start the server that makes this socket first, or check the path',
  ECONNREFUSED: 'the socket file is there but nobody listens on it: start the server',
  EACCES: 'give this process write permission for the socket and its folder',
  EAGAIN: 'the server does not accept: its backlog is full',
  EPROTOTYPE: 'the path is a socket of another type; a vhost-user socket is a stream',
}

/** Connects now; throws ERR_VHOST_CONNECT_FAILED, whose `reason` is the errno's name, or ERR_VHOST_PATH_INVALID. */
export function connect(path: string, options: ConnectionOptions = {}): Connection {
  const fault = pathFault(path)
  if (fault) throw fault
  const token = native().socketConnect(path)
  if (token < 0) {
    const reason = errnoName(token)
    throw new VhostError('ERR_VHOST_CONNECT_FAILED', `can't connect to ${path} (${reason})`, {
      path,
      reason,
      fix: fixes[reason],
    })
  }
  return new Connection(token, options)
}

/** Takes over a connected socket by its number, as QEMU's convention `--fd=N` passes it. */
export const adopt = (fd: number, options: ConnectionOptions = {}): Connection =>
  new Connection(inherit(fd), options)

/** A token for a socket that this process inherited, connected or listening. */
export function inherit(fd: number): number {
  const token = native().socketAdopt(fd)
  if (token < 0) {
    const reason = errnoName(token)
    throw new VhostError('ERR_VHOST_CONNECT_FAILED', `fd ${fd} can't be used (${reason})`, {
      reason,
      fix: 'pass the number of an inherited Unix stream socket, connected or listening',
    })
  }
  return token
}
