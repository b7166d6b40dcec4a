// Measures a pipeline of one operator on rings in memory, without addon or guest, and prints the cost per packet in
// both forms. operators.ts runs a separate process per row, because code that V8 optimized for one operator would
// change the cost of the next.
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
  /** Nanoseconds per packet, minimum of several runs. */
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

/** Handles a result as a minimal application must: releases it if it is a lease. */
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
  // Wait for packets that are still processed asynchronously.
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
