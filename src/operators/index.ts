// What `rx-vhost/operators` exports.
export { enqueue } from './enqueue.js'
export { filterPackets } from './filter-packets.js'
export { mirror } from './mirror.js'
export { type Borrowed, release } from './release.js'
export { type Held, retain } from './retain.js'
export { tapPackets } from './tap-packets.js'
