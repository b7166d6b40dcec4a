// The public API of `rx-vhost/capture`: an operator that writes pcapng files, and a source that reads them.
export { capture } from './capture.js'
export type { Direction } from './chunk.js'
export type { CaptureEvent, CaptureOptions, CaptureStats, PcapngWriterOptions, Rotation } from './options.js'
export { Replay, type ReplayOptions, replay } from './replay.js'
export { PcapngWriter } from './writer.js'
