// What the test guests boot: the kernel of Debian's cloud image package and an initramfs made here, of busybox, the
// virtio modules, /init and the agent. Built once and kept in .cache/interop (scripts/install-interop.sh downloads).
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { needProgram, root } from './program.js'

export const cache = join(root, '.cache/interop')
const support = join(root, 'test/interop/support')

/** In the order in which they must be loaded: each needs the ones before it. */
const modules = [
  ...['virtio_ring', 'virtio', 'virtio_pci_legacy_dev', 'virtio_pci_modern_dev', 'virtio_pci'],
  ...['failover', 'net_failover', 'virtio_net'],
]

export interface GuestImage {
  kernel: string
  initramfs: string
}

function run(command: string, args: string[], options: { cwd?: string; input?: string } = {}): Buffer {
  const result = spawnSync(command, args, { ...options, maxBuffer: 1 << 28 })
  if (result.error) throw result.error
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${result.stderr.toString()}`)
  return result.stdout
}

/** Downloads the kernel, and the QEMU of backports, unless they are there. */
export function fetchDownloads(): void {
  if (existsSync(join(cache, 'complete'))) return
  run('bash', [join(root, 'scripts/install-interop.sh'), '--downloads'])
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).map(name => join(folder, name))
}

/** The image, built when it is missing or older than the sources that it is made of. */
export function guestImage(): GuestImage {
  fetchDownloads()
  const kernel = filesBelow(join(cache, 'kernel/boot')).find(file => basename(file).startsWith('vmlinuz'))
  if (!kernel)
    throw new Error(`no kernel below ${cache}: remove the folder and run scripts/install-interop.sh`)
  const sources = ['agent/agent.c', 'guest/init', 'guest/net-up'].map(name => join(support, name))
  const hash = createHash('sha256').update(kernel).update(modules.join())
  for (const file of sources) hash.update(readFileSync(file))
  const initramfs = join(cache, `initramfs-${hash.digest('hex').slice(0, 16)}.cpio`)
  if (!existsSync(initramfs)) buildInitramfs(initramfs)
  return { kernel, initramfs }
}

function buildInitramfs(target: string): void {
  const busybox = needProgram('/bin/busybox', 'busybox-static')
  if (readFileSync(busybox).includes('/lib64/ld-linux'))
    throw new Error(`${busybox} needs shared libraries: apt-get install busybox-static`)
  needProgram('cpio', 'cpio')
  const work = mkdtempSync(join(cache, 'initramfs.'))
  try {
    for (const folder of ['bin', 'modules']) mkdirSync(join(work, folder))
    copyFileSync(busybox, join(work, 'bin/busybox'))
    const available = filesBelow(join(cache, 'kernel/lib/modules'))
    for (const name of modules) {
      const file = available.find(path => new RegExp(`/${name}\\.ko(\\.xz)?$`).test(path))
      if (!file) throw new Error(`the kernel has no module ${name}`)
      if (file.endsWith('.xz')) writeFileSync(join(work, 'modules', `${name}.ko`), run('xz', ['-dc', file]))
      else copyFileSync(file, join(work, 'modules', `${name}.ko`))
    }
    writeFileSync(join(work, 'modules/order'), modules.join('\n'))
    for (const [source, name] of [
      ['guest/init', 'init'],
      ['guest/net-up', 'bin/net-up'],
    ] as const) {
      copyFileSync(join(support, source), join(work, name))
      chmodSync(join(work, name), 0o755)
    }
    const agent = join(work, 'bin/agent')
    run(needProgram('gcc', 'gcc libc6-dev'), ['-static', '-O2', '-o', agent, join(support, 'agent/agent.c')])
    const names = ['.', ...readdirSync(work, { recursive: true, encoding: 'utf8' })]
    const archive = run('cpio', ['-o', '-H', 'newc', '--quiet'], {
      cwd: work,
      input: `${names.join('\n')}\n`,
    })
    writeFileSync(`${target}.part`, archive)
    renameSync(`${target}.part`, target)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}
