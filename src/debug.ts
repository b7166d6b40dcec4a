// The library's `debug` namespaces, all below `rx-vhost:`. Never used per packet.
import createDebug from 'debug'

export const debugFor = (name: string): createDebug.Debugger => createDebug(`rx-vhost:${name}`)
