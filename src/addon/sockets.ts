// What the addon has for Unix sockets and file descriptors (native/addon/sockets.cc, fds.cc). Types; src/addon/native.ts joins
// them.

export type FdToken = number

/** In fds[0] of socketReceive, instead of a count: the kernel dropped fds of the message. */
export const FDS_TRUNCATED = 0xffffffff
/** In fds[0] of socketReceive, instead of a count: the kernel dropped fds because this process can open no more. */
export const FDS_EXHAUSTED = 0xfffffffe

/** Sockets and fds. Negative results are errnos. */
export interface AddonSockets {
  closeFd(token: FdToken): void
  fdCount(): number
  /** 1 for an eventfd, 0 for anything else. */
  fdKind(token: FdToken): number
  /** `mode` and `group` are those of the socket file. Defaults: the umask's mode and the process's group. */
  socketListen(path: string, backlog: number, mode?: number, group?: number): number
  /** Removes the path, if it still names the file that was bound. closeFd(listener) does so too. */
  socketUnlink(path: string, listener: FdToken): void
  socketAdopt(fd: number): number
  /** 0: a connected Unix stream socket, which becomes non-blocking. 1: a listening one. */
  socketCheck(token: FdToken): number
  socketAccept(listener: FdToken): number
  socketConnect(path: string): number
  /** Fills `out` with pid, uid and gid. */
  socketPeer(token: FdToken, out: Int32Array): number
  socketReceive(
    token: FdToken,
    into: Uint8Array,
    offset: number,
    length: number,
    /** [0] is set to the count, FDS_TRUNCATED or FDS_EXHAUSTED; the tokens follow. */
    fds: Uint32Array,
  ): number
  socketSend(token: FdToken, bytes: Uint8Array, offset: number, length: number, fds?: Uint32Array): number
}
