// The process of all guests: two honest ones, whose rings it keeps full and empty, and the attacker. It takes commands in
// lines on its standard input and answers each with a line of JSON. A frame counts when it has arrived in the second guest's
// used ring.
//
//   honest FROM TO          connects the honest pair
//   attack NAME PATH        connects a device that does this (attacks.ts), or that is honest and busy
//   run MS                  runs; answers { frames, seconds }
import { readSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { native } from '../../src/addon/native.js'
import { HostileFrontEnd } from '../../test/hostile/support/front-end.js'
import type { HostileRing } from '../../test/hostile/support/ring.js'
import { FEATURE_BITS, PROTOCOL_ACK } from '../../test/hostile/support/wire.js'
import { ATTACKS, type Attack, honestDrain, honestMirror, plainBuffers, plainFrames } from './attacks.js'

export interface Ran {
  frames: number
  seconds: number
}

const MQ = 1n << 22n
/** VHOST_USER_PROTOCOL_F_MQ. */
const PROTOCOL_MQ = 1n
/** VRING_USED_F_NO_NOTIFY. */
const NO_NOTIFY = 1
/** Rings of the attacker that are refilled before the honest ones have their turn again. */
const RINGS_AT_ONCE = 8

/** A ring that is always full of what its descriptors say: entry n is descriptor n for ever. */
class FullRing {
  /** Chains that the back end has returned. */
  returned = 0
  readonly #ring: HostileRing
  readonly #look = Buffer.alloc(4)
  readonly #index = Buffer.alloc(2)
  readonly #kick = new BigUint64Array([1n])
  readonly #kickFd: number

  constructor(ring: HostileRing) {
    this.#ring = ring
    const entries = Buffer.alloc(2 * ring.size)
    for (let n = 0; n < ring.size; n++) entries.writeUInt16LE(n, 2 * n)
    ring.memory.write(ring.availableAt + 4, entries)
    this.#kickFd = native().rawNumber(ring.kickFd)
  }

  /** Offers what came back anew. */
  refill(): void {
    const { memory, usedAt, availableAt, size } = this.#ring
    readSync(memory.fd, this.#look, 0, 4, 4096 + usedAt)
    const flags = this.#look.readUInt16LE(0)
    const used = this.#look.readUInt16LE(2)
    this.returned += (used - this.returned) & 0xffff
    this.#index.writeUInt16LE((used + size) & 0xffff)
    writeSync(memory.fd, this.#index, 0, 2, 4096 + availableAt + 2)
    if ((flags & NO_NOTIFY) === 0) writeSync(this.#kickFd, this.#kick)
  }
}

interface Running {
  front: HostileFrontEnd
  rings: FullRing[]
}

async function connect(path: string, attack: Attack): Promise<Running> {
  const { pairs, size } = attack
  const several = pairs > 1
  const front = new HostileFrontEnd(path, {
    size,
    pairs,
    spare: attack.buffers,
    features: FEATURE_BITS.usual | (several ? MQ : 0n),
  })
  attack.prepare(front)
  front.negotiate(PROTOCOL_ACK | (several ? PROTOCOL_MQ : 0n))
  front.shareMemory()
  for (const { index } of front.rings) {
    front.setUp(index)
    await front.barrier() // the socket has no room for the messages of many rings
  }
  return { front, rings: front.rings.map(ring => new FullRing(ring)) }
}

const honest: FullRing[] = []
let received: FullRing
let attacker: Running | undefined
let attack: Attack | undefined

async function connectHonest(from: string, to: string): Promise<void> {
  const sender = await connect(from, { ...honestDrain, prepare: plainFrames })
  const receiver = await connect(to, { ...honestDrain, prepare: plainBuffers })
  received = receiver.rings[0]
  honest.push(sender.rings[1], received)
}

async function connectAttacker(name: string, path: string): Promise<void> {
  attack = [honestDrain, honestMirror, ...ATTACKS].find(other => other.name === name)
  if (attack === undefined) throw new Error(`no attack is called ${name}`)
  attacker = await connect(path, attack)
  const parity = attack.target === 'mirror' ? 0 : 1
  attacker.rings = attacker.rings.filter((_, index) => index % 2 === parity)
}

function run(ms: number): Ran {
  const began = performance.now()
  const before = received.returned
  let next = 0
  let now = began
  for (; now < began + ms; now = performance.now()) {
    for (const ring of honest) ring.refill()
    if (attacker === undefined) continue
    const { rings, front } = attacker
    for (let n = 0; n < Math.min(RINGS_AT_ONCE, rings.length); n++) rings[next++ % rings.length].refill()
    if (next >= rings.length) {
      next = 0
      attack?.again?.(front)
    }
  }
  return { frames: received.returned - before, seconds: (now - began) / 1000 }
}

async function obey(line: string): Promise<unknown> {
  const [command, ...rest] = JSON.parse(line) as string[]
  if (command === 'honest') return connectHonest(rest[0], rest[1])
  if (command === 'attack') return connectAttacker(rest[0], rest[1])
  return run(Number(rest[0]))
}

const lines = createInterface({ input: process.stdin })
lines.on('line', line => {
  obey(line).then(
    answer => console.log(JSON.stringify(answer ?? {})),
    (error: Error) => console.log(JSON.stringify({ error: error.message })),
  )
})
lines.once('close', () => process.exit())
