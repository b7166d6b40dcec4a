// A million numbered frames of many lengths through capture() into a file; used by the unit and the interop test.
import { createHash, type Hash } from 'node:crypto'
import { capture, PcapngWriter } from '../../src/capture/index.js'
import type { DataPlane } from '../../src/data/plane.js'
import { enqueue, tapPackets } from '../../src/operators/index.js'
import type { Packet } from '../../src/packet/packet.js'
import { fakeFromGuest, fakeToGuest, frame } from '../../src/testing/index.js'

export const MILLION = 1_000_000
const ROUND = 1000

/** A hash over the lengths and the bytes of packets, and how many there were. */
export class Digest {
  readonly #hash: Hash = createHash('sha256')
  readonly #bytes = Buffer.alloc(2048)
  packets = 0

  readonly look = (packet: Packet): void => {
    const length = packet.copyTo(this.#bytes, 2)
    this.#bytes.writeUInt16BE(length, 0)
    this.#hash.update(this.#bytes.subarray(0, length + 2))
    this.packets++
  }

  get hex(): string {
    return this.#hash.digest('hex')
  }
}

/** Writes them, in real time, and says what was sent. Nothing may be lost: it blocks. */
export async function captureMillion(plane: DataPlane, path: string): Promise<string> {
  const from = fakeFromGuest(plane, { size: ROUND, poll: 'interrupt' })
  const to = fakeToGuest(plane, { room: 2 ** 30, size: 2 ** 30, record: false })
  const writer = new PcapngWriter(path, { overflow: 'block' })
  const sent = new Digest()
  const running = from.queue
    .pipe(tapPackets(sent.look), capture(writer, { name: 'vm' }), enqueue(to.sink))
    .subscribe()
  for (let first = 0; first < MILLION; first += ROUND) {
    from.port.send(...Array.from({ length: ROUND }, (_, i) => numbered(first + i)))
    while (from.port.waiting > 0) await new Promise(setImmediate)
  }
  running.unsubscribe()
  await writer.finished()
  return sent.hex
}

function numbered(n: number): Buffer {
  const made = frame(n, { length: 60 + (n % 90) })
  made.writeUInt32LE(Math.imul(n, 0x9e3779b1) >>> 0, made.length - 4)
  return made
}
