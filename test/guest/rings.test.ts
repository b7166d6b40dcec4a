// The driver side of the rings and the numbered frames, against a device of a few lines: every layout, header length
// and buffer size, and a device that breaks the rules.
import test from 'ava'
import {
  BURST_BROKEN,
  BURST_COUNT,
  BURST_MORE,
  MAX_SOURCES,
  REPORT_FIELDS,
  STATS,
} from '../../src/addon/guest.js'
import { native } from '../../src/addon/native.js'
import { LoopDevice } from './support/loop-device.js'

const VERSION_1 = 1n << 32n
const MRG_RXBUF = 1n << 15n
const INDIRECT_DESC = 1n << 28n
const MACS = Uint8Array.of(2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1)

interface Made {
  handle: number
  device: LoopDevice
}

interface Shape {
  layout?: number
  segments?: number
  receiveBuffer?: number
  transmitBuffer?: number
  features?: bigint
  autoPost?: boolean
  queueSize?: number
}

function make(t: { teardown(fn: () => void): void }, shape: Shape = {}): Made {
  const { layout = 0, segments = 2, receiveBuffer = 2048, transmitBuffer = 2048, autoPost = true } = shape
  const { features = VERSION_1 | MRG_RXBUF, queueSize = 64 } = shape
  const config = Uint32Array.of(queueSize, layout, segments, receiveBuffer, transmitBuffer, Number(autoPost))
  const handle = native().guestCreate(config)
  t.teardown(() => native().guestClose(handle))
  native().guestStart(handle, features | INDIRECT_DESC)
  native().guestCheckReset(handle, false)
  return { handle, device: new LoopDevice(handle, queueSize, features & (VERSION_1 | MRG_RXBUF) ? 12 : 10) }
}

function setGenerator(
  handle: number,
  lengths: number,
  shortest: number,
  longest: number,
  source = 7,
  first = 0,
) {
  return native().guestGenerator(handle, Float64Array.of(source, first, lengths, shortest, longest), MACS)
}

function report(handle: number): Record<string, number> {
  const out = new Float64Array(2 + MAX_SOURCES * REPORT_FIELDS)
  const sources = native().guestReport(handle, out)
  const [corrupted, foreign, source, received, lost, reordered, duplicated] = out
  return { sources, corrupted, foreign, source, received, lost, reordered, duplicated }
}

const stat = (handle: number, name: (typeof STATS)[number]) => {
  const out = new Float64Array(STATS.length)
  native().guestStats(handle, out)
  return out[STATS.indexOf(name)]
}

/** Numbered frames as the device sees them. */
function numbered({ handle, device }: Made, count: number): Uint8Array[] {
  setGenerator(handle, 0, 100, 100)
  native().guestGenerate(handle, count)
  return device.take()
}

const clean = { sources: 1, corrupted: 0, foreign: 0, source: 7, lost: 0, reordered: 0, duplicated: 0 }

for (const [layout, name] of ['single', 'split', 'indirect'].entries())
  for (const segments of layout === 0 ? [1] : [1, 2, 5])
    for (const [receiveBuffer, features, kind] of [
      [2048, VERSION_1 | MRG_RXBUF, 'mergeable'],
      [100, MRG_RXBUF, 'legacy and mergeable in tiny buffers'],
      [1600, VERSION_1, 'one buffer a frame'],
      [1600, 0n, 'legacy, one buffer a frame'],
    ] as const)
      test(`frames of every length survive: ${name}, ${segments} data descriptors, ${kind}`, t => {
        const made = make(t, {
          layout,
          segments,
          receiveBuffer,
          features,
          transmitBuffer: 1514,
          queueSize: 256,
        })
        setGenerator(made.handle, 1, 60, 1514)
        let sent = 0
        while (sent < 2000) {
          sent += native().guestGenerate(made.handle, 3) & BURST_COUNT
          for (const frame of made.device.take()) {
            t.true(made.device.give(frame))
            native().guestCheck(made.handle, 8)
          }
        }
        t.deepEqual(report(made.handle), { ...clean, received: sent })
        t.is(stat(made.handle, 'badHeaders'), 0)
      })

test('one changed byte anywhere is found', t => {
  const made = make(t)
  const [frame] = numbered(made, 1)
  for (let at = 0; at < frame.length; at++) {
    const changed = Uint8Array.from(frame)
    changed[at] ^= 0x10
    t.true(made.device.give(changed))
    native().guestCheck(made.handle, 1)
  }
  const { received, corrupted, foreign } = report(made.handle)
  // A wrong ethertype makes it a frame of somebody else's.
  t.deepEqual([received ?? 0, corrupted, foreign], [0, 98, 2])
})

test('a frame cut short or made longer is corrupted; one with its addresses swapped is not', t => {
  const made = make(t)
  const [frame] = numbered(made, 1)
  made.device.give(frame.subarray(0, 99))
  made.device.give(Uint8Array.of(...frame, 0))
  made.device.give(Uint8Array.of(...frame.subarray(6, 12), ...frame.subarray(0, 6), ...frame.subarray(12)))
  native().guestCheck(made.handle, 8)
  const { received, corrupted } = report(made.handle)
  t.deepEqual([received, corrupted], [1, 2])
})

test('lost, reordered and duplicated frames are counted for what they are', t => {
  const made = make(t)
  const frames = numbered(made, 10)
  for (const n of [0, 1, 4, 3, 3, 8, 0]) made.device.give(frames[n])
  native().guestCheck(made.handle, 64)
  // 2 and 5, 6, 7 are missing; 3 came late, then again; 0 again.
  t.deepEqual(report(made.handle), { ...clean, received: 5, lost: 4, reordered: 1, duplicated: 2 })
})

test('numbers may begin anywhere once that was said', t => {
  const made = make(t)
  const frames = numbered(made, 4)
  native().guestCheckReset(made.handle, true)
  made.device.give(frames[2])
  made.device.give(frames[3])
  native().guestCheck(made.handle, 64)
  t.deepEqual(report(made.handle), { ...clean, received: 2 })
})

test('a ring without room says so, and goes on when the device has taken frames', t => {
  const made = make(t)
  setGenerator(made.handle, 0, 64, 64)
  t.is(native().guestGenerate(made.handle, 100), 64 | BURST_MORE)
  t.is(native().guestGenerate(made.handle, 100), 0 | BURST_MORE)
  t.is(made.device.take().length, 64)
  t.is(native().guestGenerate(made.handle, 10), 10)
})

test('a guest that posts no buffers receives nothing, and one that posts three receives three', t => {
  const made = make(t, { autoPost: false })
  const frames = numbered(made, 4)
  t.false(made.device.give(frames[0]))
  t.is(native().guestPostReceive(made.handle, 3), 3)
  t.deepEqual(
    frames.map(frame => made.device.give(frame)),
    [true, true, true, false],
  )
  t.is(native().guestCheck(made.handle, 64), 3)
  t.is(stat(made.handle, 'freeReceiveBuffers'), 64)
})

test('frames with headers go both ways as they are', t => {
  const made = make(t)
  const header = Uint8Array.of(1, 3, 54, 0, 0xb4, 5, 34, 0, 16, 0)
  const frame = Uint8Array.from({ length: 70 }, (_, n) => n)
  t.is(native().guestSend(made.handle, frame, Uint32Array.of(70), 1, header), 1)
  t.deepEqual(made.device.take(), [Buffer.from(frame)])
  made.device.give(frame, Uint8Array.of(...header, 0, 0))
  const [into, lengths, headers] = [new Uint8Array(4096), new Uint32Array(8), new Uint8Array(96)]
  t.is(native().guestReceive(made.handle, into, lengths, 8, headers) & BURST_COUNT, 1)
  t.deepEqual(into.slice(0, lengths[0]), frame)
  t.deepEqual(headers.slice(0, 12), Uint8Array.of(...header, 1, 0))
})

for (const [what, id, length] of [
  ['an id beyond the ring', 64, 100],
  ['a length beyond the buffer', 0, 2049],
] as const)
  test(`a device that completes ${what} breaks the ring, and nothing else`, t => {
    const made = make(t)
    made.device.complete(0, id, length)
    t.is(native().guestCheck(made.handle, 8), BURST_BROKEN)
    t.is(stat(made.handle, 'toGuestBroken'), 1)
    native().guestStart(made.handle, VERSION_1)
    t.is(native().guestCheck(made.handle, 8), 0)
  })

test('a device that completes a buffer twice breaks the ring', t => {
  const made = make(t)
  made.device.complete(0, 5, 100)
  made.device.complete(0, 5, 100)
  t.is(native().guestCheck(made.handle, 8) & BURST_BROKEN, BURST_BROKEN)
})

test('a frame whose buffers are not all there yet is waited for', t => {
  const made = make(t)
  const [frame] = numbered(made, 1)
  // The header names two buffers; the first holds its 12 bytes and half of the frame.
  const layout = new Float64Array(18)
  native().guestLayout(made.handle, layout)
  const buffer = (n: number) => layout[7] + n * layout[8]
  const header = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0)
  native().guestWrite(made.handle, buffer(0), Uint8Array.of(...header, ...frame.subarray(0, 50)))
  native().guestWrite(made.handle, buffer(1), frame.subarray(50))
  made.device.complete(0, 0, 62)
  t.is(native().guestCheck(made.handle, 8), 0)
  t.is(stat(made.handle, 'waits'), 1)
  made.device.complete(0, 1, 50)
  t.is(native().guestCheck(made.handle, 8), 1)
  t.is(report(made.handle).received, 1)
})

test('a guest that truncates its memory goes on without a fault of its own', t => {
  const made = make(t)
  t.is(native().guestTruncate(made.handle, 4096), 0)
  setGenerator(made.handle, 0, 1500, 1500)
  t.is(native().guestGenerate(made.handle, 10) & BURST_COUNT, 10)
  t.is(native().guestTruncate(made.handle, 0), 0)
  t.is(native().guestGenerate(made.handle, 10) & BURST_COUNT, 10)
})

test('options and arguments that make no sense are refused', t => {
  for (const config of [
    [100, 0, 2, 2048, 2048, 1],
    [0, 0, 2, 2048, 2048, 1],
    [256, 3, 2, 2048, 2048, 1],
    [256, 1, 17, 2048, 2048, 1],
    [256, 0, 2, 16, 2048, 1],
  ])
    t.is(native().guestCreate(Uint32Array.from(config)), -22)
  const { handle } = make(t)
  t.is(setGenerator(handle, 0, 59, 59), -22)
  t.is(native().guestSend(handle, new Uint8Array(9), Uint32Array.of(10), 1), -22)
  t.is(native().guestSend(handle, new Uint8Array(3000), Uint32Array.of(3000), 1), -90)
  t.is(native().guestWrite(handle, 0xfffffff0, new Uint8Array(64)), -22)
  t.is(native().guestGenerate(handle + 1000, 1), -9)
  t.throws(() => native().guestGenerate('x' as unknown as number, 1), { instanceOf: TypeError })
})
