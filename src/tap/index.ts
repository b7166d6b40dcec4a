// The public API of `rx-vhost/tap`.
export { type TapEvent, TapPort, type TapPortOptions } from './tap-port.js'
