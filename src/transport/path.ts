// Checks whether a path can be that of a socket: it must fit in sockaddr_un (unix(7)). Abstract sockets are not
// supported, because they have neither permissions nor a file.
import { VhostError } from '../errors.js'

/** sun_path has 108 bytes, the last of which is the terminating zero. */
export const MAX_PATH_BYTES = 107

export function pathFault(path: string): VhostError | undefined {
  const invalid = (message: string, fix: string) =>
    new VhostError('ERR_VHOST_PATH_INVALID', message, { path, fix })
  if (path === '') return invalid('the path is empty', 'give the path of a Unix socket')
  if (path.includes('\0')) return invalid('the path has a zero byte', 'use a path in the file system')
  const bytes = Buffer.byteLength(path)
  if (bytes > MAX_PATH_BYTES)
    return invalid(
      `the path has ${bytes} bytes`,
      `use one of at most ${MAX_PATH_BYTES}, for instance in /run`,
    )
  return undefined
}
