// A Linux guest in QEMU, under software emulation, with one vhost-user net device whose back end listens. The QEMUs are
// the installed one and, on Debian 12, that of its backports, unpacked beside it: they send different sequences.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { cache, fetchDownloads, type GuestImage } from './guest-image.js'
import { GuestShell } from './guest-shell.js'
import { needProgram, Program } from './program.js'
import { Qmp } from './qmp.js'

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
  /** Queue pairs, and as many processors. Default 1. */
  pairs?: number
  /** QEMU makes the socket, and does not wait for a back end. Otherwise it connects, and again every second. */
  listens?: boolean
  /** Where its memory is; `file` is a file in /dev/shm. Default `memfd`. */
  memory?: 'memfd' | 'file'
  /** Of the memory that it boots with. Default RAM_BYTES. */
  ramBytes?: number
  /** Memory can be plugged in. */
  hotplug?: boolean
  /** More for the kernel's command line. */
  append?: string
  /** Waits for a guest that migrates here, from this address. */
  incoming?: string
  /** Does not run until it is told to. */
  paused?: boolean
  /** Of its sockets, where two guests have one number. Default: the number. */
  name?: string
  /** A device with the interface of virtio 0.9 (`disable-modern=on`) on a machine of that time. */
  legacy?: boolean
}

export const RAM_BYTES = 192 * 2 ** 20

/** QEMU's arguments, as docs/front-ends.md prints them. */
export function qemuArguments(options: GuestOptions, shell: string): string[] {
  const mac = `52:54:00:00:00:${options.number.toString(16).padStart(2, '0')}`
  // QEMU 7.2 crashes when a vhost-user device is started without KVM and with MSI-X. Without `romfile=`, iPXE drives
  // the device before Linux does.
  const vectors = Number.parseInt(options.qemu.version, 10) < 8 ? ',vectors=0' : ''
  const { pairs = 1, ramBytes = RAM_BYTES } = options
  const several = pairs > 1 ? ',mq=on' : ''
  const device = [options.legacy && 'disable-modern=on', options.device]
    .filter(Boolean)
    .map(part => `,${part}`)
  return [
    ...options.qemu.args,
    ...['-M', options.legacy ? 'pc' : 'q35', '-cpu', 'max', '-accel', 'tcg', '-smp', String(pairs)],
    ...['-m', `${ramBytes}B${options.hotplug ? ',slots=4,maxmem=1G' : ''}`],
    ...['-object', `${memoryBackend(options)},id=m,size=${ramBytes},share=on`, '-numa', 'node,memdev=m'],
    ...[
      '-chardev',
      `socket,id=c,path=${options.path}${options.listens ? ',server=on,wait=off' : ',reconnect=1'}`,
    ],
    ...['-netdev', `vhost-user,id=n,chardev=c${pairs > 1 ? `,queues=${pairs}` : ''}`],
    ...['-device', `virtio-net-pci,netdev=n,mac=${mac},romfile=${vectors}${several}${device.join('')}`],
    ...['-kernel', options.image.kernel, '-initrd', options.image.initramfs],
    ...[
      '-append',
      `console=ttyS0 quiet panic=-1 guest_ip=10.0.0.${options.number}/24 ${options.append ?? ''}`,
    ],
    ...['-nodefaults', '-display', 'none', '-serial', 'stdio'],
    ...['-chardev', `socket,id=shell,path=${shell},server=on,wait=on`, '-serial', 'chardev:shell'],
    ...['-qmp', `unix:${monitorPath(options)},server=on,wait=off`],
    ...(options.incoming ? ['-incoming', options.incoming] : []),
    ...(options.paused ? ['-S'] : []),
  ]
}

const nameOf = ({ name, number }: GuestOptions): string => name ?? String(number)
const monitorPath = (options: GuestOptions): string => join(options.folder, `qmp-${nameOf(options)}.sock`)
/** Given a folder, QEMU makes a file there and unlinks it once it is open. One that is named would stay. */
const memoryBackend = (options: GuestOptions): string =>
  options.memory === 'file' ? 'memory-backend-file,mem-path=/dev/shm' : 'memory-backend-memfd'

export class Guest {
  readonly address: string
  readonly program: Program
  readonly shell: GuestShell
  readonly monitor: Qmp
  /** `modern` or `legacy`, and the QEMU: for messages. */
  readonly options: GuestOptions

  private constructor(options: GuestOptions, program: Program, shell: GuestShell, monitor: Qmp) {
    this.options = options
    this.address = `10.0.0.${options.number}`
    this.program = program
    this.shell = shell
    this.monitor = monitor
  }

  /** Starts the guest and resolves when its shell is there and its link is up, or when it waits to be migrated to. */
  static async start(options: GuestOptions): Promise<Guest> {
    const path = join(options.folder, `shell-${nameOf(options)}.sock`)
    const name = `qemu ${options.qemu.version} guest ${nameOf(options)}`
    const program = new Program(options.qemu.binary, qemuArguments(options, path), {
      name,
      env: options.qemu.env,
    })
    try {
      const ended = program.exited.then(() => Promise.reject(new Error(`${name} ended:\n${program.tail()}`)))
      const shell = await Promise.race([GuestShell.open(path, () => `${name}:\n${program.tail()}`), ended])
      const monitor = await Qmp.open(monitorPath(options))
      const guest = new Guest(options, program, shell, monitor)
      if (options.incoming === undefined) await shell.booted()
      return guest
    } catch (error) {
      await program.stop('SIGTERM')
      throw error
    }
  }

  async stop(): Promise<void> {
    await this.program.stop('SIGTERM')
    this.shell.close()
    this.monitor.close()
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    this.program.kill('SIGKILL')
    await this.program.exited
    this.shell.close()
    this.monitor.close()
  }
}
