// replay: what comes out of a capture, when, and how it waits for those who take it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { concat, delay, lastValueFrom, take, toArray } from 'rxjs'
import { capture, PcapngWriter } from '../../src/capture/index.js'
import { interfaceDescription, sectionHeader } from '../../src/capture/pcapng.js'
import { type ReplayOptions, replayOn } from '../../src/capture/replay.js'
import type { DataPlane } from '../../src/data/plane.js'
import { detach, enqueue, release, retain } from '../../src/operators/index.js'
import type { Burst } from '../../src/packet/burst.js'
import { fakePlane, fakeToGuest, frame, frames, marbles, numberOf } from '../../src/testing/index.js'
import { bench, upTo } from '../operators/bench.js'
import { SlowStream } from './blocks.js'

/** A capture of numbered frames, `times` in milliseconds. */
async function captureOf(times: number[], frame?: (n: number) => Buffer): Promise<Buffer> {
  const out = new SlowStream()
  out.flow()
  let now = 0
  const writer = new PcapngWriter(out, { now: () => now })
  const { queue, from, plane } = bench()
  const running = queue.pipe(capture(writer)).subscribe()
  times.forEach((ms, n) => {
    now = 1000 + ms
    from.port.send(frame ? frame(n) : frames(1, n)[0])
    plane.loop.drain()
  })
  running.unsubscribe()
  await writer.finished()
  return out.bytes
}

const replayIn = (plane: DataPlane, file: Uint8Array | string, options?: ReplayOptions) =>
  replayOn(() => plane, file, options)

test('as recorded, twice as fast, and all at once', async t => {
  const file = await captureOf([0, 0, 4, 10])
  const burst = { a: [0, 1], z: [0, 1, 2, 3] }
  for (const [speed, diagram] of [
    [1, 'a---2-----(3|)'],
    [2, 'a-2--(3|)'],
    [0.5, 'a-------2-----------(3|)'],
    [Infinity, '(z|)'],
  ] as const)
    marbles(h => h.expectBursts(replayIn(h.plane, file, { speed })).toBe(diagram, burst), {
      equal: t.deepEqual,
    })
})

test('single packets too', async t => {
  const file = await captureOf([0, 2])
  marbles(h => h.expectPackets(replayIn(h.plane, file).packets).toBe('0-(1|)'), { equal: t.deepEqual })
})

test('a packet of the far future is waited for, by timers that Node has', async t => {
  const file = await captureOf([0, 1e12])
  const waits: number[] = []
  marbles(
    h => {
      const timers = {
        set: (run: () => void, ms: number) => {
          waits.push(ms)
          return h.plane.timers?.set(run, ms)
        },
        clear: (timer: unknown) => h.plane.timers?.clear(timer),
      }
      h.expectBursts(replayIn({ ...h.plane, timers }, file), '----!').toBe('0----')
    },
    { equal: t.deepEqual },
  )
  t.deepEqual(waits, [2 ** 31 - 1])
})

test('a loop begins with the first packet when the last is gone', async t => {
  const file = await captureOf([0, 2])
  marbles(
    h => {
      h.expectBursts(replayIn(h.plane, file, { loop: 3 })).toBe('0-a-a-(1|)', { a: [1, 0] })
      h.expectBursts(replayIn(h.plane, file, { loop: Infinity }), '-----!').toBe('0-a-a-', { a: [1, 0] })
    },
    { equal: t.deepEqual },
  )
})

test('a file without packets is no endless loop', async t => {
  const file = await captureOf([])
  marbles(h => h.expectBursts(replayIn(h.plane, file, { loop: Infinity })).toBe('|'), { equal: t.deepEqual })
})

test('a full ring stalls it by its credit, and what is late goes at once', async t => {
  const file = await captureOf([0, 1, 2, 3, 4, 5])
  marbles(
    h => {
      const to = h.fakeSink('           1-----9')
      const sent = replayIn(h.plane, file, { highWaterMark: 2 }).pipe(enqueue(to.sink))
      h.expectBursts(sent).toBe('       ------|')
      h.expectReceived(to).toBe('       0-----a', { a: [1, 2] })
      h.expectLeases().toBe('           01-2-------0')
    },
    { equal: () => {} },
  )
  marbles(h => {
    const to = h.fakeSink('1-----9')
    replayIn(h.plane, file, { highWaterMark: 2 }).pipe(enqueue(to.sink)).subscribe()
    let most = 0
    h.clock.atEndOfFrame(() => {
      most = Math.max(most, h.plane.pool.leases)
    })
    h.flush()
    t.deepEqual(to.port.received.map(numberOf), upTo(6))
    t.deepEqual([most, h.plane.pool.leases], [2, 0])
  })
})

test('leases may be held, and go back', async t => {
  const file = await captureOf(upTo(20))
  marbles(h => {
    const to = h.fakeSink('x', { posts: { x: 100 } })
    replayIn(h.plane, file, { speed: Infinity, highWaterMark: 4 })
      .pipe(retain(), delay(5), release(), enqueue(to.sink))
      .subscribe()
    h.flush()
    t.deepEqual(to.port.received.map(numberOf), upTo(20))
    t.is(h.plane.pool.leases, 0)
  })
})

test('an early end gives everything back; each subscription begins anew', async t => {
  const file = await captureOf([0, 0, 0, 5])
  const plane = fakePlane()
  const source = replayIn(plane, file, { speed: Infinity }).packets.pipe(detach(), take(2))
  const seen: number[] = []
  concat(source, source).subscribe(packet => seen.push(numberOf(packet)))
  plane.loop.advance(1)
  t.deepEqual([seen, plane.pool.leases], [[0, 1, 0, 1], 0])
  // The account is open to others again: a pool has 256.
  for (let i = 0; i < 300; i++) replayIn(plane, file).subscribe().unsubscribe()
  t.true(plane.pool.accounts.count < 10)
})

test('frames of all lengths are the same bytes again', async t => {
  const sent = upTo(200).map(n => frame(n, { length: 60 + n * 13 }).fill(n, 20))
  const file = await captureOf(
    sent.map(() => 0),
    n => sent[n],
  )
  const plane = fakePlane({ bytes: 16 << 20 })
  const to = fakeToGuest(plane, { room: 1000, size: 1024 })
  replayIn(plane, file).pipe(enqueue(to.sink)).subscribe()
  plane.loop.drain()
  t.deepEqual(to.port.received, sent)
})

test('a path is read as the bytes are, and a missing file is an error that names it', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-replay-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'x.pcapng')
  // Larger than what is read at once, so that blocks lie across reads.
  const many = 20_000
  writeFileSync(path, await captureOf(new Array(many).fill(0)))
  const plane = fakePlane()
  const driven = setInterval(() => plane.loop.advance(1), 0)
  t.teardown(() => clearInterval(driven))
  const numbers = async (loop: number): Promise<number[]> =>
    (await lastValueFrom(replayIn(plane, path, { loop }).pipe(detach(), toArray())))
      .flatMap(burst => [...burst])
      .map(numberOf)
  t.deepEqual(await numbers(1), upTo(many))
  t.deepEqual(await numbers(2), [...upTo(many), ...upTo(many)])
  await t.throwsAsync(lastValueFrom(replayIn(plane, join(folder, 'none'))), {
    code: 'ERR_VHOST_CAPTURE_FAILED',
    message: /none cannot be read/,
  })
  t.is(plane.pool.leases, 0)
})

/** What a replay of these bytes gives: numbers, and the code and message of its error. */
function outcome(file: Uint8Array): { numbers: number[]; error?: { code: string; message: string } } {
  const plane = fakePlane()
  const result: ReturnType<typeof outcome> = { numbers: [] }
  replayIn(plane, file, { speed: Infinity }).subscribe({
    next: (burst: Burst) => {
      for (const packet of burst) result.numbers.push(packet.length < 18 ? -1 : numberOf(packet))
    },
    error: error => {
      result.error = error
    },
  })
  plane.loop.advance(1)
  if (plane.pool.leases !== 0) throw new Error('leases are left')
  return result
}

test('what is no capture, or breaks off, is an error behind the packets before', async t => {
  const file = await captureOf([0, 0, 0])
  const cut = outcome(file.subarray(0, file.length - 110))
  t.deepEqual(cut.numbers, [0, 1])
  t.regex(cut.error?.message ?? '', /^invalid capture at byte \d+: the file ends in the middle of a block$/)
  t.is(cut.error?.code, 'ERR_VHOST_CAPTURE_INVALID')
  t.regex(outcome(Buffer.alloc(0)).error?.message ?? '', /the file is empty/)
  t.regex(outcome(Buffer.from('once upon a time')).error?.message ?? '', /the file is not a pcapng file/)
  const classic = Buffer.alloc(24)
  classic.writeUInt32LE(0xa1b2c3d4)
  t.regex(outcome(classic).error?.message ?? '', /classic pcap format .*: convert it with editcap -F pcapng/)
  const wifi = interfaceDescription('wlan0', 0)
  wifi.writeUInt16LE(105, 8)
  t.regex(
    outcome(Buffer.concat([sectionHeader(), wifi, enhanced(frame(1))])).error?.message ?? '',
    /link type 105, but only Ethernet is supported/,
  )
  t.regex(
    outcome(Buffer.concat([sectionHeader(), enhanced(frame(1))])).error?.message ?? '',
    /interface 0, but the section does not describe this interface/,
  )
})

/** An enhanced packet block without options; `swap`: of a machine with the other byte order. */
function enhanced(data: Buffer, length = data.length): Buffer {
  const block = Buffer.alloc(32 + ((data.length + 3) & ~3))
  block.writeUInt32LE(6, 0)
  block.writeUInt32LE(block.length, 4)
  block.writeUInt32LE(length, 20)
  block.writeUInt32LE(length, 24)
  data.copy(block, 28)
  block.writeUInt32LE(block.length, block.length - 4)
  return block
}

test('a section of the other byte order, simple and obsolete packet blocks, and blocks that nobody knows', t => {
  const simple = Buffer.concat([Buffer.alloc(12), frame(1), Buffer.alloc(4)])
  simple.writeUInt32LE(3, 0)
  simple.writeUInt32LE(64, 8)
  simple.writeUInt32LE(simple.length, 4)
  simple.writeUInt32LE(simple.length, simple.length - 4)
  const obsolete = enhanced(frame(2))
  obsolete.writeUInt32LE(2, 0)
  obsolete.writeUInt16LE(7, 10) // drops, where an enhanced block has half of its interface
  const unknown = enhanced(frame(9))
  unknown.writeUInt32LE(0x80001234, 0)
  // All fields of these are words, but for the version and the link type.
  const swapped = Buffer.concat([sectionHeader(), interfaceDescription('', 0).subarray(0, 16)])
  const other = Buffer.from(swapped)
  other.swap32()
  for (const at of [12, sectionHeader().length + 8]) other.writeUInt32BE(((at === 12 ? 1 : 1) << 16) | 0, at)
  other.writeUInt32BE(20, sectionHeader().length + 4)
  const packet = Buffer.from(enhanced(frame(3)))
  packet.subarray(0, 28).swap32()
  packet.subarray(packet.length - 4).swap32()
  const { numbers, error } = outcome(
    Buffer.concat([
      ...[
        sectionHeader(),
        interfaceDescription('x', 0),
        simple,
        obsolete,
        unknown,
        enhanced(Buffer.alloc(8)),
      ],
      ...[other, Buffer.from([0, 0, 0, 20]), packet],
    ]),
  )
  t.is(error, undefined)
  t.deepEqual(numbers, [1, 2, 3])
})

test('whatever the bytes are, it ends, and no lease is left', async t => {
  const file = await captureOf(upTo(8))
  fc.assert(
    fc.property(
      fc.array(fc.record({ at: fc.nat(file.length - 1), byte: fc.nat(255) }), { maxLength: 6 }),
      fc.nat(file.length),
      (changes, length) => {
        const bytes = Buffer.from(file.subarray(0, length))
        for (const { at, byte } of changes) if (at < length) bytes[at] = byte
        const { numbers, error } = outcome(bytes)
        return numbers.length <= 8 && (error === undefined || error.code === 'ERR_VHOST_CAPTURE_INVALID')
      },
    ),
    { numRuns: 500 },
  )
  t.pass()
})

test('wrong options are refused at once', t => {
  for (const options of [
    { speed: 0 },
    { speed: NaN },
    { loop: 0 },
    { loop: 1.5 },
    { burst: 0 },
    { highWaterMark: 0 },
  ])
    t.throws(() => replayIn(fakePlane(), 'x', options), { instanceOf: RangeError })
})
