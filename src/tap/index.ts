// What `rx-vhost/tap` exports.
export { type TapEvent, TapPort, type TapPortOptions } from './tap-port.js'
