// A back end of the interop tests in a process of its own, which can be killed: it answers ARP and pings for any address,
// sends UDP back, and writes the trace of its messages to a file. Lines on standard output say what happens and when, by
// the wall clock, so that two of them can be compared: `connecting`, `ready <ms>`, `echo <ms>` (the first after a ready),
// `stopped`, `closed`, `fault <text>`; at SIGTERM a line of JSON with the counters of each pair.
//
//   node responder.js <path> [<options as JSON>]
import { appendFileSync } from 'node:fs'
import { argv } from 'node:process'
import { type Burst, VhostDriver, type VhostDriverOptions, type WritablePacket } from 'rx-vhost'
import { enqueue, filterPackets, mapPackets } from 'rx-vhost/operators'
import { merge, type Observable, tap } from 'rxjs'

export interface ResponderOptions {
  driver?: VhostDriverOptions
  /** Queue pairs, each answered by itself: what came by pair k goes back by pair k. Otherwise all as one. */
  pairs?: number
  /** A file that gets the trace, a line an entry. */
  trace?: string
  /** Hangs up on so many connections at first, as soon as they say something. */
  hangUps?: number
  /** Sends everything back as it came, with its addresses exchanged. */
  reflect?: boolean
}

export interface ResponderCounts {
  /** Frames out of each pair, and into it. */
  from: number[]
  toEach: number[]
  drops: Record<string, number>
}

const ARP = 0x0806
const IPV4 = 0x0800
const MAC = 0x02000000
const ICMP = 1

const path = argv[2]!
const {
  driver: driverOptions,
  pairs,
  trace,
  hangUps = 0,
  reflect,
}: ResponderOptions = JSON.parse(argv[3] ?? '{}')
const driver = new VhostDriver(path, driverOptions)
const say = (word: string, ...more: unknown[]): void => console.log(word, ...more)
let awaitingEcho = false
let connections = 0

function swap32(packet: WritablePacket, a: number, b: number): void {
  const value = packet.uint32(a)
  packet.setUint32(a, packet.uint32(b))
  packet.setUint32(b, value)
}

function answer(packet: WritablePacket): void {
  // The answer's source is an address of ours for every host: 02:00:00:00 and the low half of the target's.
  packet.setUint32(0, packet.uint32(6))
  packet.setUint16(4, packet.uint16(10))
  packet.setUint32(6, MAC)
  packet.setUint16(10, 0x0001)
  if (packet.uint16(12) === ARP) {
    packet.setUint16(20, 2)
    const target = packet.uint32(38)
    packet.setUint32(32, packet.uint32(22))
    packet.setUint16(36, packet.uint16(26))
    packet.setUint32(38, packet.uint32(28))
    packet.setUint32(22, MAC)
    packet.setUint16(26, 0x0001)
    packet.setUint32(28, target)
  } else if (packet.uint16(12) === IPV4 && packet.length >= 34) {
    swap32(packet, 26, 30)
    if (packet.uint8(23) === ICMP) echo(packet)
  }
}

function echo(packet: WritablePacket): void {
  packet.setUint16(34, 0)
  // The type was 0x08 in the upper byte of the sum: RFC 1624.
  const sum = packet.uint16(36) + 0x0800
  packet.setUint16(36, (sum & 0xffff) + (sum >>> 16))
  if (!awaitingEcho) return
  awaitingEcho = false
  say('echo', Date.now())
}

const isAsked = (packet: {
  length: number
  uint8(at: number): number
  uint16(at: number): number
}): boolean =>
  reflect === true ||
  (packet.length >= 42 && packet.uint16(12) === ARP && packet.uint16(20) === 1) ||
  (packet.length >= 42 && packet.uint16(12) === IPV4 && packet.uint8(23) === ICMP && packet.uint8(34) === 8)

const answered = (source: Observable<Burst>): Observable<Burst> =>
  source.pipe(filterPackets(isAsked), mapPackets(answer))

driver.events.subscribe(event => {
  say(event.type, event.type === 'retrying' ? event.reason : '')
})
if (trace)
  driver.trace$.subscribe(entry => {
    appendFileSync(trace, `${JSON.stringify(entry)}\n`)
  })

const devices = driver.pipe(
  tap(device => {
    const hangsUp = ++connections <= hangUps
    device.subscribe(event => {
      if (hangsUp && event.type === 'negotiated') device.close()
      if (event.type === 'ready') {
        awaitingEcho = true
        say('ready', Date.now())
      } else if (event.type === 'fault') say('fault', event.error.message)
      else if (event.type === 'refused') say('refused', event.request, event.reason)
      else if (event.type === 'stopped' || event.type === 'closed') say(event.type)
    })
  }),
)
const ways =
  pairs === undefined
    ? [answered(driver.fromGuest()).pipe(enqueue(driver.toGuest()))]
    : Array.from({ length: pairs }, (_, pair) =>
        answered(driver.fromGuest(pair)).pipe(enqueue(driver.toGuest({ pair }))),
      )
const running = merge(devices, ...ways).subscribe()

process.on('SIGTERM', () => {
  const count = pairs ?? 8
  const counts: ResponderCounts = {
    from: Array.from({ length: count }, (_, pair) => driver.fromGuest(pair).stats.packets),
    toEach: Array.from({ length: count }, (_, pair) => driver.toGuest({ pair }).stats.packets),
    drops: driver.toGuest().stats.drops,
  }
  say(JSON.stringify(counts))
  running.unsubscribe()
})
