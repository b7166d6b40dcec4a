// TAP interfaces, in network namespaces of their own: scenarios.ts has what happens there. Skipped where none can be made.
import { fileURLToPath } from 'node:url'
import { needing } from '../support/needs.js'
import { scenarios } from './scenarios.js'
import { inNamespace, tapInterface } from './support/namespace.js'

const there = needing(tapInterface)
const node = (name: string): string[] => [
  process.execPath,
  fileURLToPath(new URL('scenarios.js', import.meta.url)),
  name,
]

/** Those that need more than a namespace: how they are run. */
const special: Record<string, { options?: string[]; command(name: string): string[] }> = {
  'without CAP_NET_ADMIN': {
    command: name => ['setpriv', '--bounding-set', '-net_admin', ...node(name)],
  },
  'without /dev/net/tun': {
    options: ['--mount'],
    command: name => ['sh', '-c', 'mount -t tmpfs none /dev/net && exec "$@"', 'sh', ...node(name)],
  },
  'an fd that was passed': { command: name => passing('IFF_TAP | IFF_NO_PI | IFF_VNET_HDR', name) },
  'an fd that has no header': { command: name => passing('IFF_TAP | IFF_NO_PI', name) },
}

/** A program that opens an interface and starts another with its fd, as fd 3. */
function passing(flags: string, name: string): string[] {
  const script = `
import fcntl, os, struct, sys
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR, TUNSETIFF = 2, 0x1000, 0x4000, 0x400454ca
fd = os.open('/dev/net/tun', os.O_RDWR)
fcntl.ioctl(fd, TUNSETIFF, struct.pack('16sH22x', b'passed', ${flags}))
os.dup2(fd, 3)
os.set_inheritable(3, True)
os.execv(sys.argv[1], sys.argv[1:])`
  return ['python3', '-c', script, ...node(name)]
}

for (const name of Object.keys(scenarios))
  there(name, async t => {
    const { options, command } = special[name] ?? { command: node }
    const { status, output } = await inNamespace(command(name), options)
    t.is(status, 0, output)
  })
