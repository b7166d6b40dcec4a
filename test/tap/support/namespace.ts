// Programs in a network namespace of their own, which goes with them: their interfaces are nobody else's, and nothing is
// left behind however they end. In a user namespace, too, so that no privilege is needed where the system allows that.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

const NAMESPACE = ['--map-root-user', '--net']

/** Why there can be no TAP interface here; undefined: there can. */
export function obstacle(): string | undefined {
  const { status, stderr, error } = spawnSync('unshare', [
    ...NAMESPACE,
    'ip',
    'tuntap',
    'add',
    'dev',
    'probe',
    'mode',
    'tap',
  ])
  if (status === 0) return undefined
  return `no TAP interface can be made here: ${error?.message ?? stderr.toString().trim()}`
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
