// The dirty log as a hostile front end has it: a file, and the messages that say where it is.
import { readSync } from 'node:fs'
import { native } from '../../../src/addon/native.js'
import type { Scene } from './cases.js'
import type { HostileFrontEnd } from './front-end.js'
import { GUEST, PAGE } from './memory.js'
import type { Sent } from './outcomes.js'
import { address, F_LOG_ALL, logPlace, PROTOCOL_MIGRATES, REQUEST, readU64, u64 } from './wire.js'

/** Bytes of a log for all of the front end's memory, and some more. */
export const LOG = Number((GUEST + (1n << 22n)) / 32768n)

export class Log {
  readonly token: number
  readonly fd: number
  constructor(readonly bytes = LOG + 3 * PAGE) {
    this.token = native().rawMemory(bytes)
    this.fd = native().rawNumber(this.token)
  }
  close = (): void => native().closeFd(this.token)
  read(at = 0, length = this.bytes): Buffer {
    const bytes = Buffer.alloc(length)
    readSync(this.fd, bytes, 0, length, at)
    return bytes
  }
  marked(page: number, offset = 0): boolean {
    return ((this.read(offset + (page >> 3), 1)[0] >> (page & 7)) & 1) === 1
  }
}

export const base = (log: Log, size: bigint | number, offset: bigint | number = 0): Sent => [
  REQUEST.SET_LOG_BASE,
  logPlace(BigInt(size), BigInt(offset)),
  [log.token],
]
/** SET_LOG_BASE is always answered, so this is not `order`. */
export async function sends(front: HostileFrontEnd, [request, payload, fds]: Sent): Promise<bigint> {
  front.send(request, payload, fds)
  const reply = await front.reply()
  return readU64(reply?.payload ?? new Uint8Array(8).fill(255))
}
export const usedAddress = (front: HostileFrontEnd, ring: number): bigint =>
  front.memory.guest(front.rings[ring].usedAt)
export async function begin(front: HostileFrontEnd): Promise<void> {
  await front.order(REQUEST.SET_FEATURES, u64(front.features | F_LOG_ALL))
  for (const { index, addresses } of front.rings)
    await front.order(REQUEST.SET_VRING_ADDR, address(index, addresses, usedAddress(front, index)))
}

/** With a log, whatever becomes of the case. */
export async function withLog(
  scene: Scene,
  body: (front: HostileFrontEnd, log: Log) => Promise<void>,
): Promise<void> {
  const log = new Log()
  try {
    await body(await scene.run({}, PROTOCOL_MIGRATES), log)
  } finally {
    log.close()
  }
}

export const nothingMarked = ({ t }: Scene, log: Log): void => {
  t.true(
    log.read().every(byte => byte === 0),
    'nothing is marked',
  )
}
