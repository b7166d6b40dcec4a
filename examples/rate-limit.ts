// Limits the rate between two guests. Packets beyond the rate wait, which slows down the sender (`shape`), or they are
// dropped and counted (`police`).
//
//   node dist/examples/rate-limit.js                                 two embedded guests, 20,000 packets a second, 2 s
//   node dist/examples/rate-limit.js --mode police                   the same, but packets are dropped
//   node dist/examples/rate-limit.js --bits 100e6 a.sock b.sock      100 Mbit/s for real front ends, until Ctrl-C
import { parseArgs } from 'node:util'
import type { VhostDriver } from 'rx-vhost'
import { enqueue, type RateLimitOptions, rateLimit } from 'rx-vhost/operators'
import { merge, type Observable } from 'rxjs'
import { demonstrate, printLimited, serve, until } from './run.js'

const SECONDS = 2

/** Forwards between a and b, each direction at this rate. */
export function limitBetween(a: VhostDriver, b: VhostDriver, limit: RateLimitOptions): Observable<never> {
  return merge(
    a.fromGuest().pipe(rateLimit(limit), enqueue(b.toGuest())),
    b.fromGuest().pipe(rateLimit(limit), enqueue(a.toGuest())),
  )
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** Packets per second. */
    packets: { type: 'string' },
    /** Bits per second on Ethernet, with preamble, check sequence and gap. */
    bits: { type: 'string' },
    mode: { type: 'string', default: 'shape' },
  },
})

const number = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text)
const limit: RateLimitOptions = {
  packetsPerSecond: number(values.packets) ?? (values.bits === undefined ? 20_000 : undefined),
  bitsPerSecond: number(values.bits),
  overhead: 24,
  mode: values.mode as 'shape' | 'police',
}

if (!['shape', 'police'].includes(values.mode) || ![0, 2].includes(positionals.length)) {
  console.error('usage: rate-limit [--packets N] [--bits N] [--mode shape|police] [a.sock b.sock]')
  process.exitCode = 2
} else if (positionals.length === 2)
  serve(positionals, (a, b) => limitBetween(a, b, limit), { atEnd: printLimited })
else
  await demonstrate(
    ['a', 'b'],
    (a, b) => limitBetween(a, b, limit),
    async ({ drivers: [a], guests: [sender, receiver] }) => {
      receiver.check()
      const began = performance.now()
      const sent = await sender.generate({ signal: AbortSignal.timeout(SECONDS * 1000) })
      const dropped = (): number => a.fromGuest().stats.drops['rate-limit'] ?? 0
      const all = await until(() => receiver.report.received + dropped() === sent)
      const seconds = (performance.now() - began) / 1000
      const { received, reordered, corrupted } = receiver.report
      console.log(`sent ${sent}, received ${received}, dropped ${dropped()}, reordered ${reordered}`)
      console.log(`${Math.round(received / seconds)} packets a second`)
      process.exitCode = all && reordered + corrupted === 0 ? 0 : 1
    },
  )
