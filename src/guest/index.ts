// `rx-vhost/guest`: a front end in this process. For tests, demos and benchmarks without a VM.
export { GuestPort } from './guest.js'
export type { ConnectOptions } from './life.js'
export type { GuestLayout, GuestOptions } from './options.js'
export type { GuestPair, WaitOptions } from './pair.js'
export type { ReceivedFrame, Report, SourceReport } from './receiver.js'
export type { GenerateOptions } from './sender.js'
export type { Agreement } from './session.js'
