// Connects two guests over a bad path, which delays, loses, duplicates, reorders and corrupts packets. The same seed
// gives the same faults. Use it to test how a protocol behaves.
//
//   node dist/examples/impair.js                                       two embedded guests, 20,000 frames, and their fate
//   node dist/examples/impair.js --delay 40 --jitter 5 --loss 0.01 --seed 7 a.sock b.sock      real front ends, until Ctrl-C
import { parseArgs } from 'node:util'
import type { VhostDriver } from 'rx-vhost'
import { enqueue, type ImpairOptions, impair } from 'rx-vhost/operators'
import { merge, type Observable } from 'rxjs'
import { demonstrate, printLimited, serve, until } from './run.js'

const FRAMES = 20_000

/** Forwards between a and b. Each direction has its own path. */
export function impairBetween(a: VhostDriver, b: VhostDriver, path: ImpairOptions): Observable<never> {
  return merge(
    a.fromGuest().pipe(impair(path), enqueue(b.toGuest())),
    b.fromGuest().pipe(impair(path), enqueue(a.toGuest())),
  )
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: '1' },
    /** Milliseconds. */
    delay: { type: 'string', default: '5' },
    jitter: { type: 'string', default: '2' },
    /** Probabilities. */
    loss: { type: 'string', default: '0.02' },
    duplicate: { type: 'string', default: '0.01' },
    corrupt: { type: 'string', default: '0.005' },
    /** Bits per second. Default: no limit. */
    bits: { type: 'string' },
  },
})

const path: ImpairOptions = {
  seed: Number(values.seed),
  delay: Number(values.delay),
  jitter: Number(values.jitter),
  loss: Number(values.loss),
  duplicate: Number(values.duplicate),
  corrupt: Number(values.corrupt),
  bitsPerSecond: values.bits === undefined ? undefined : Number(values.bits),
}

if (positionals.length === 2) serve(positionals, (a, b) => impairBetween(a, b, path), { atEnd: printLimited })
else if (positionals.length > 0) {
  console.error(
    'usage: impair [--seed N] [--delay MS] [--jitter MS] [--loss P] [--duplicate P] [--corrupt P] [--bits N] [a.sock b.sock]',
  )
  process.exitCode = 2
} else
  await demonstrate(
    ['a', 'b'],
    (a, b) => impairBetween(a, b, path),
    async ({ drivers: [a, b], guests: [sender, receiver] }) => {
      receiver.check()
      await sender.generate({ frames: FRAMES })
      const [from, to] = [a.fromGuest(), b.toGuest()]
      const arrived = (): number => {
        const { received, duplicated, corrupted, foreign } = receiver.report
        return received + duplicated + corrupted + foreign
      }
      const isOver = (): boolean => from.stats.packets === FRAMES && from.stats.held === 0
      const all = await until(() => isOver() && arrived() === to.stats.packets)
      const { reordered, duplicated, corrupted } = receiver.report
      console.log(`sent ${FRAMES}, lost ${from.stats.drops['impair-loss'] ?? 0}, arrived ${arrived()}`)
      console.log(`of these twice ${duplicated}, corrupted ${corrupted}, late ${reordered}`)
      process.exitCode = all ? 0 : 1
    },
  )
