// What `rx-vhost/capture` exports: pcapng files, written by an operator and read as a source.
export { capture } from './capture.js'
export type { Direction } from './chunk.js'
export type { CaptureEvent, CaptureOptions, CaptureStats, PcapngWriterOptions, Rotation } from './options.js'
export { Replay, type ReplayOptions, replay } from './replay.js'
export { PcapngWriter } from './writer.js'
