// Starts the processes of a comparison: the generator on one core, and two back ends on the other core. One of the back
// ends is always paused. Also allocates hugepages and creates a folder for the sockets. This file sends commands to the
// processes, but does not depend on the measurements.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Hugepages, reserveHugepages } from '../../test/interop/support/hugepages.js'
import { buildC, MissingError } from './c-program.js'
import { Program, root } from './program.js'

export const BACK_END_CORE = 0
export const FRONT_END_CORE = 1

const FRONT_END_MIB = 128
const REFERENCE_MIB = 64

export type Side = 'reference' | 'ours'
export const sides: readonly Side[] = ['reference', 'ours']

export interface Axes {
  ring: number
  mergeable: boolean
}

export interface RigOptions extends Axes {
  /** Number of ports of each back end. */
  ports: number
  /** Polling mode of rx-vhost. */
  poll: string
  /** Flags for the Node process of rx-vhost. */
  nodeFlags?: readonly string[]
}

const GENERATOR_SOURCES = ['generator', 'traffic', 'rings', 'overhear', 'round_trip', 'crossing']

export const buildGenerator = (): string =>
  buildC({
    name: 'generator',
    sources: GENERATOR_SOURCES.map(name => `dpdk/${name}.c`),
    dpdk: {},
    flags: ['-Wl,--export-dynamic-symbol=sendmsg'],
  })

const REFERENCE_SOURCES = ['reference', 'jobs', 'vhost_ports', 'epoll_echo']

export const buildReference = (): string =>
  buildC({ name: 'reference', sources: REFERENCE_SOURCES.map(name => `dpdk/${name}.c`), dpdk: {} })

let pages: Hugepages | undefined

/** Returns options for EAL: one core for all threads, and hugepages if this machine allows them. */
function eal(core: number, mebibytes: number): string[] {
  pages ??= reserveHugepages(2 * (FRONT_END_MIB + REFERENCE_MIB))
  const memory = pages.missing ? ['--no-huge', '--no-shconf'] : ['--in-memory', '--single-file-segments']
  return ['--lcores', `0@${core}`, '--no-pci', '--no-telemetry', ...memory, '-m', String(mebibytes)]
}

/** Describes the kind of pages for guest memory and for the reference's packets. */
export const memoryKind = (): string => (pages?.missing ? `4 KiB pages (${pages.missing})` : '2 MiB pages')

export class Rig {
  readonly options: RigOptions
  readonly folder = mkdtempSync(join(tmpdir(), 'rx-vhost-bench-'))
  generator!: Program
  back!: Record<Side, Program>
  /** Features negotiated at the first port of each side, as the front end reports them. */
  masks!: Record<Side, string>
  tscMHz = 0

  readonly #clean = (): void => rmSync(this.folder, { recursive: true, force: true })

  private constructor(options: RigOptions) {
    this.options = options
    process.once('exit', this.#clean)
  }

  static async start(options: RigOptions): Promise<Rig> {
    if (cpus().length <= FRONT_END_CORE) throw new MissingError('the bench needs two cores, one for each end')
    const rig = new Rig(options)
    try {
      await rig.#start()
    } catch (error) {
      await rig.stop()
      throw error
    }
    return rig
  }

  async #start(): Promise<void> {
    const { ports, poll, nodeFlags = [] } = this.options
    const at = (side: Side): string => join(this.folder, side)
    for (const side of sides) mkdirSync(at(side))
    const generator = buildGenerator()
    const env = { RUNTIME_DIRECTORY: this.folder }
    this.back = {
      reference: new Program(
        buildReference(),
        [
          ...eal(BACK_END_CORE, REFERENCE_MIB),
          '--file-prefix=reference',
          '--',
          at('reference'),
          String(ports),
        ],
        { name: 'reference', core: BACK_END_CORE, env },
      ),
      ours: new Program(
        process.execPath,
        [...nodeFlags, join(root, 'dist/bench/throughput/back-end.js'), at('ours'), String(ports), poll],
        { name: 'rx-vhost', core: BACK_END_CORE },
      ),
    }
    for (const side of sides) await this.back[side].answer()
    const devices = sides.flatMap((side, set) =>
      Array.from({ length: ports }, (_, port) =>
        this.#device(set * ports + port, join(at(side), `${port}.sock`)),
      ),
    )
    this.generator = new Program(
      generator,
      [
        ...eal(FRONT_END_CORE, FRONT_END_MIB),
        ...['--file-prefix=generator', ...devices],
        ...['--', String(ports), String(this.options.ring), String(BACK_END_CORE)],
      ],
      { name: 'generator', core: FRONT_END_CORE, env },
    )
    const { tscMHz, features } = await this.generator.answer<{ tscMHz: number; features: string[] }>()
    this.tscMHz = tscMHz
    this.masks = { reference: features[0], ours: features[ports] }
    for (const side of sides) await this.back[side].ask('wait')
    for (const side of sides) this.back[side].rest()
  }

  // Features that rx-vhost does not support yet are off for both sides.
  #device(index: number, path: string): string {
    const { ring, mergeable } = this.options
    const options = [
      `path=${path}`,
      `queues=1,queue_size=${ring},mrg_rxbuf=${mergeable ? 1 : 0}`,
      'packed_vq=0,in_order=0,vectorized=0',
    ]
    return `--vdev=net_virtio_user${index},${options.join(',')}`
  }

  /** Returns the generator's number of a side. */
  set(side: Side): number {
    return sides.indexOf(side)
  }

  /** Measures the time of a cache line from core to core, in nanoseconds. Both back ends must be paused. */
  async crossing(): Promise<number> {
    return (await this.generator.ask<{ ns: number }>('crossing')).ns
  }

  async stop(): Promise<void> {
    await this.generator?.stop()
    for (const side of sides) await this.back?.[side]?.stop()
    process.removeListener('exit', this.#clean)
    this.#clean()
  }
}
