// A Linux guest in QEMU, under software emulation, with one vhost-user net device whose back end listens. The QEMUs are
// the installed one and, on Debian 12, that of its backports, unpacked beside it: they send different sequences.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { cache, fetchDownloads, type GuestImage } from './guest-image.js'
import { GuestShell } from './guest-shell.js'
import { needProgram, Program } from './program.js'

export interface QemuBuild {
  version: string
  binary: string
  args: string[]
  env: NodeJS.ProcessEnv
}

function describe(binary: string, args: string[] = [], env: NodeJS.ProcessEnv = {}): QemuBuild {
  const { stdout } = spawnSync(binary, ['--version'], { env: { ...process.env, ...env }, encoding: 'utf8' })
  const version = stdout?.match(/version (\d+\.\d+)/)?.[1]
  if (!version) throw new Error(`${binary} --version gives no version`)
  return { version, binary, args, env }
}

function backports(): QemuBuild | undefined {
  const prefix = join(cache, 'qemu-backports/usr')
  const binary = join(prefix, 'bin/qemu-system-x86_64')
  if (!existsSync(binary)) return undefined
  const library = join(prefix, 'lib/x86_64-linux-gnu')
  const data = ['qemu', 'seabios'].flatMap(name => ['-L', join(prefix, 'share', name)])
  return describe(binary, data, { LD_LIBRARY_PATH: library, QEMU_MODULE_DIR: join(library, 'qemu') })
}

/** The QEMUs to test with; RX_VHOST_QEMU, a list of binaries or of `installed`, `backports`, chooses others. */
export function qemuBuilds(): QemuBuild[] {
  fetchDownloads()
  const installed = (): QemuBuild => describe(needProgram('qemu-system-x86_64', 'qemu-system-x86'))
  const chosen = process.env.RX_VHOST_QEMU?.split(',') ?? ['installed', 'backports']
  const builds = chosen.map(name =>
    name === 'installed' ? installed() : name === 'backports' ? backports() : describe(name),
  )
  return builds.filter(build => build !== undefined)
}

export interface GuestOptions {
  qemu: QemuBuild
  image: GuestImage
  /** Socket of the back end. */
  path: string
  /** 1 to 254: gives the addresses 10.0.0.N and 52:54:00:00:00:N. */
  number: number
  /** For the guest's own sockets; removed by the caller. */
  folder: string
  /** Options of the device, for instance `mrg_rxbuf=off`. */
  device?: string
  /** A device with the interface of virtio 0.9 (`disable-modern=on`) on a machine of that time. */
  legacy?: boolean
}

/** QEMU's arguments, as docs/front-ends.md prints them. */
export function qemuArguments(options: GuestOptions, shell: string): string[] {
  const mac = `52:54:00:00:00:${options.number.toString(16).padStart(2, '0')}`
  // QEMU 7.2 crashes when a vhost-user device is started without KVM and with MSI-X. Without `romfile=`, iPXE drives
  // the device before Linux does.
  const vectors = Number.parseInt(options.qemu.version, 10) < 8 ? ',vectors=0' : ''
  const device = [options.legacy && 'disable-modern=on', options.device]
    .filter(Boolean)
    .map(part => `,${part}`)
  return [
    ...options.qemu.args,
    ...['-M', options.legacy ? 'pc' : 'q35', '-cpu', 'max', '-accel', 'tcg', '-m', '192'],
    ...['-object', 'memory-backend-memfd,id=m,size=192M,share=on', '-numa', 'node,memdev=m'],
    ...['-chardev', `socket,id=c,path=${options.path}`, '-netdev', 'vhost-user,id=n,chardev=c'],
    ...['-device', `virtio-net-pci,netdev=n,mac=${mac},romfile=${vectors}${device.join('')}`],
    ...['-kernel', options.image.kernel, '-initrd', options.image.initramfs],
    ...['-append', `console=ttyS0 quiet panic=-1 guest_ip=10.0.0.${options.number}/24`],
    ...['-nodefaults', '-display', 'none', '-serial', 'stdio'],
    ...['-chardev', `socket,id=shell,path=${shell},server=on,wait=on`, '-serial', 'chardev:shell'],
  ]
}

export class Guest {
  readonly address: string
  readonly program: Program
  readonly shell: GuestShell
  /** `modern` or `legacy`, and the QEMU: for messages. */
  readonly options: GuestOptions

  private constructor(options: GuestOptions, program: Program, shell: GuestShell) {
    this.options = options
    this.address = `10.0.0.${options.number}`
    this.program = program
    this.shell = shell
  }

  /** Starts the guest and resolves when its shell is there and its link is up. */
  static async start(options: GuestOptions): Promise<Guest> {
    const path = join(options.folder, `shell-${options.number}.sock`)
    const name = `qemu ${options.qemu.version} guest ${options.number}`
    const program = new Program(options.qemu.binary, qemuArguments(options, path), {
      name,
      env: options.qemu.env,
    })
    try {
      const ended = program.exited.then(() => Promise.reject(new Error(`${name} ended:\n${program.tail()}`)))
      const shell = await Promise.race([GuestShell.open(path, () => `${name}:\n${program.tail()}`), ended])
      const guest = new Guest(options, program, shell)
      await shell.booted()
      return guest
    } catch (error) {
      await program.stop('SIGTERM')
      throw error
    }
  }

  async stop(): Promise<void> {
    await this.program.stop('SIGTERM')
    this.shell.close()
  }
}
