// Run by operators.ts, a process for each row, since what one operator does to V8's decisions is not another's cost: a
// pipeline of one operator on rings in memory, without addon or guest. Prints what a packet costs in both forms.
//
//   operator-cost.js <index of the row, -1 = no operator>
import { identity, type Observable, type Subscription } from 'rxjs'
import { plainPoolArrays } from '../../src/data/pool/arrays.js'
import { Pool } from '../../src/data/pool/pool.js'
import { SinkQueue } from '../../src/data/sink/sink.js'
import { SourceQueue } from '../../src/data/source/source.js'
import { Scheduler } from '../../src/data/turn/scheduler.js'
import { Turn } from '../../src/data/turn/turn.js'
import { HeldBurst } from '../../src/packet/burst.js'
import { HeldPacket } from '../../src/packet/packet.js'
import { VhostQueue, VhostSink } from '../../src/queue/queue.js'
import { FakePort } from '../../src/testing/fake-port.js'
import { frame } from '../../src/testing/frames.js'
import { allocatedBy } from '../../test/support/allocated.js'
import { benchRows } from './rows.js'

export interface FormCost {
  /** Nanoseconds per packet, the least of some runs. */
  nanoseconds: number
  /** Bytes of JavaScript's heap per packet. */
  bytes: number
}

export interface OperatorCost {
  bursts: FormCost
  packets: FormCost
}

const WARM_UP = 200_000
const PACKETS = 400_000
const RUNS = 3
const ROOM = 2 ** 30

const row = benchRows[Number(process.argv[2])]
const pool = new Pool(plainPoolArrays(16 << 20), { strict: false })
const plane = { pool, scheduler: new Scheduler(), turn: new Turn() }
const port = new FakePort(pool)
const same = frame()

function sink(): VhostSink {
  const queue = new SinkQueue(plane)
  const to = new FakePort(pool, { record: false, size: ROOM })
  to.post(ROOM)
  queue.attach(to)
  return new VhostSink(queue)
}

/** What an application does that has nothing to do: leases and copies are its own. */
function done(item: unknown): void {
  if (item instanceof HeldBurst || item instanceof HeldPacket) item.release()
}

function subscribe(form: 'bursts' | 'packets', queue: VhostQueue): Subscription {
  const source: Observable<never> = (form === 'bursts' ? queue : queue.packets) as never
  const operator = row?.make({ each: () => {}, sink: sink() as never }) ?? identity
  return source.pipe(operator).subscribe(done)
}

async function send(count: number): Promise<number> {
  const began = process.hrtime.bigint()
  await new Promise<void>(resolve => {
    port.onDrained = resolve
    port.sendSame(same, count)
  })
  // What is worked on asynchronously is on its way still.
  while (pool.leases > 0) await new Promise(resolve => setImmediate(resolve))
  return Number(process.hrtime.bigint() - began) / count
}

async function measure(form: 'bursts' | 'packets'): Promise<FormCost> {
  const source = new SourceQueue(plane)
  source.attach(port)
  const running = subscribe(form, new VhostQueue(source))
  await send(WARM_UP)
  const times: number[] = []
  for (let run = 0; run < RUNS; run++) times.push(await send(PACKETS))
  const bytes = (await allocatedBy(() => send(PACKETS))) / PACKETS
  running.unsubscribe()
  source.close()
  return { nanoseconds: Math.min(...times), bytes }
}

const bursts = await measure('bursts')
const packets = await measure('packets')
console.log(JSON.stringify({ bursts, packets } satisfies OperatorCost))
process.exit(pool.leases === 0 ? 0 : 1)
