// Capture files (the classic format, with microseconds), by which testpmd's pcap port sends and keeps frames.
import { readFileSync, writeFileSync } from 'node:fs'

const MAGIC = 0xa1b2c3d4
const HEAD = 24
const RECORD = 16
const ETHERNET = 1

/** Each frame's time is its number, in microseconds. */
export function writePcap(path: string, frames: readonly Uint8Array[]): void {
  const head = Buffer.alloc(HEAD)
  head.writeUInt32LE(MAGIC, 0)
  head.writeUInt16LE(2, 4)
  head.writeUInt16LE(4, 6)
  head.writeUInt32LE(0x40000, 16)
  head.writeUInt32LE(ETHERNET, 20)
  const records = frames.flatMap((frame, i) => {
    const record = Buffer.alloc(RECORD)
    record.writeUInt32LE(i, 4)
    record.writeUInt32LE(frame.length, 8)
    record.writeUInt32LE(frame.length, 12)
    return [record, frame]
  })
  writeFileSync(path, Buffer.concat([head, ...records]))
}

export const readPcap = (path: string): Buffer[] => recordsIn(readFileSync(path)).map(({ frame }) => frame)

/** The microseconds of each frame: in a file of writePcap(), and in what was taken from it, their numbers. */
export const readStamps = (bytes: Buffer): number[] => recordsIn(bytes).map(({ micros }) => micros)

function recordsIn(bytes: Buffer): { micros: number; frame: Buffer }[] {
  // With nanoseconds the magic number differs, and nothing that is read here.
  if (![MAGIC, 0xa1b23c4d].includes(bytes.readUInt32LE(0))) throw new Error('this is no capture file')
  const records: { micros: number; frame: Buffer }[] = []
  for (let at = HEAD; at < bytes.length; ) {
    const micros = bytes.readUInt32LE(at + 4)
    const length = bytes.readUInt32LE(at + 8)
    at += RECORD
    records.push({ micros, frame: bytes.subarray(at, at + length) })
    at += length
  }
  return records
}
