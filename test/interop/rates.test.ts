// rateLimit and impair between DPDK's virtio-user ports: one sends as fast as it can, the other receives. The rate, by our
// clock from one burst that came out to a later one, must be what was asked for within 1 %; and testpmd's own count of
// what it sent must be what came out, what was dropped by reason, and what is still held.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Burst, VhostDriver } from 'rx-vhost'
import { enqueue, impair, rateLimit } from 'rx-vhost/operators'
import { type MonoTypeOperatorFunction, tap } from 'rxjs'
import { until } from './support/program.js'
import { Testpmd, virtioUser } from './support/testpmd.js'

const RATE = 20_000
const FRAME = 256
const BITS = RATE * FRAME * 8
/** Where the window begins: behind what went at once, out of a full bucket. */
const FROM = RATE / 2
/** Of five seconds: an event loop that is held up for 10 ms at either end is 0.4 %. */
const TO = FROM + 5 * RATE

/** Notes when so many packets had come out. */
class Meter {
  packets = 0
  #begin: [ms: number, packets: number] | undefined
  #end: [ms: number, packets: number] | undefined

  readonly note = (burst: Burst): void => {
    this.packets += burst.length
    if (this.#begin === undefined && this.packets >= FROM) this.#begin = [performance.now(), this.packets]
    else if (this.#end === undefined && this.packets >= TO) this.#end = [performance.now(), this.packets]
  }

  /** Packets a second, once the window is over. */
  get rate(): number | undefined {
    const [begin, end] = [this.#begin, this.#end]
    return begin && end && ((end[1] - begin[1]) * 1000) / (end[0] - begin[0])
  }
}

interface Outcome {
  rate: number
  /** What testpmd counted as sent, what came out of the operator, and what reached the other testpmd. */
  sent: number
  out: number
  received: number
  drops: Record<string, number>
}

async function sendThrough(t: ExecutionContext, operator: MonoTypeOperatorFunction<Burst>): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'rxvhost-rates-'))
  // Room for 200 ms of the rate: an event loop that is held up for less costs no packet's time.
  const [a, b] = ['a.sock', 'b.sock'].map(
    name => new VhostDriver(join(folder, name), { highWaterMark: RATE / 5 }),
  )
  const [queue, meter] = [a.fromGuest(), new Meter()]
  const running = queue.pipe(operator, tap(meter.note), enqueue(b.toGuest())).subscribe()
  const testpmds: Testpmd[] = []
  try {
    const start = async (
      { path }: VhostDriver,
      mode: 'txonly' | 'rxonly',
      extra: string[],
    ): Promise<Testpmd> => {
      const testpmd = await Testpmd.start({ devices: [virtioUser(0, path)], mode, extra })
      testpmds.push(testpmd)
      await testpmd.forward()
      return testpmd
    }
    const receiver = await start(b, 'rxonly', [])
    const sender = await start(a, 'txonly', [`--txpkts=${FRAME}`])
    const rate = await until('the window', () => meter.rate)
    const sent = (await sender.stopForwarding())[0]!.txPackets
    await until('all that was sent was dequeued, and nothing is held', () => {
      const { packets, held } = queue.stats
      return packets === sent && held === 0
    })
    const received = await receiver.atRest()
    const outcome = { rate, sent, out: meter.packets, received, drops: { ...queue.stats.drops } }
    t.log(JSON.stringify(outcome))
    t.deepEqual({ ...b.toGuest().stats.drops }, {}, 'the sink dropped nothing')
    return outcome
  } finally {
    await Promise.allSettled(testpmds.map(testpmd => testpmd.stop()))
    running.unsubscribe()
    rmSync(folder, { recursive: true, force: true })
  }
}

function within1Percent(t: ExecutionContext, rate: number, asked: number): void {
  t.true(Math.abs(rate - asked) <= asked / 100, `${rate} packets a second, asked for ${asked}`)
}

test('shape by packets: the rate within 1 %, and nothing is lost', async t => {
  const { rate, sent, out, received, drops } = await sendThrough(t, rateLimit({ packetsPerSecond: RATE }))
  within1Percent(t, rate, RATE)
  t.deepEqual([out, received, drops], [sent, sent, {}])
})

test('shape by bits: the rate within 1 %, and nothing is lost', async t => {
  const limit = rateLimit({ bitsPerSecond: BITS, overhead: 24 })
  const { rate, sent, out, received, drops } = await sendThrough(t, limit)
  within1Percent(t, rate, BITS / 8 / (FRAME + 24))
  t.deepEqual([out, received, drops], [sent, sent, {}])
})

test('police: the rate within 1 %, and all that is missing is counted', async t => {
  const { rate, sent, out, received, drops } = await sendThrough(
    t,
    rateLimit({ packetsPerSecond: RATE, mode: 'police' }),
  )
  within1Percent(t, rate, RATE)
  t.deepEqual([out + drops['rate-limit']!, received], [sent, out])
})

test('impair: the rate of the path within 1 %, the loss within one point, and all is accounted for', async t => {
  const path = impair({ bitsPerSecond: BITS, delay: 5, jitter: 2, loss: 0.1, seed: 1 })
  const { rate, sent, out, received, drops } = await sendThrough(t, path)
  within1Percent(t, rate, RATE)
  t.deepEqual([out + drops['impair-loss']!, received], [sent, out])
  t.true(Math.abs(drops['impair-loss']! / sent - 0.1) < 0.01)
})
