// Programs in a network namespace of their own, which goes with them: their interfaces are nobody else's, and nothing is
// left behind however they end. In a user namespace, too, so that no privilege is needed where the system allows that.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import type { Need } from '../../support/needs.js'

const NAMESPACE = ['--map-root-user', '--net']

const works = (...command: string[]): boolean => spawnSync(command[0], command.slice(1)).status === 0

/** A TAP interface in such a namespace. */
export const tapInterface: Need = {
  of: 'TAP interfaces',
  missing() {
    if (!works('ip', '-V')) return 'apt-get install iproute2'
    if (!works('unshare', ...NAMESPACE, 'true'))
      return 'allow user namespaces (sysctl kernel.unprivileged_userns_clone=1), and be in no chroot'
    if (works('unshare', ...NAMESPACE, 'ip', 'tuntap', 'add', 'dev', 'probe', 'mode', 'tap')) return undefined
    return 'modprobe tun (there is no usable /dev/net/tun)'
  },
}

/** The arguments of `unshare` for a program there. It is ended with its parent, who may be killed. */
export const inside = (command: readonly string[], options: readonly string[] = []): string[] => [
  ...NAMESPACE,
  ...options,
  ...['setpriv', '--pdeathsig', 'KILL'],
  ...command,
]

/** Runs a program there to its end; what it printed. */
export async function inNamespace(
  command: readonly string[],
  options: readonly string[] = [],
): Promise<{ status: number | null; output: string }> {
  const child = spawn('unshare', inside(command, options), { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', data => {
      output += data
    })
  const [status] = await once(child, 'close')
  return { status, output }
}
