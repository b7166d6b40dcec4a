// What `rx-vhost/bpf` exports.
export type { PacketPredicate } from '../predicate.js'
export { type BpfFilter, bpf } from './bpf.js'
