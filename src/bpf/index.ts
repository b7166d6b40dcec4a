// What `rx-vhost/bpf` exports.
export type { PacketPredicate } from '../packet/predicate.js'
export { type BpfFilter, bpf } from './bpf.js'
