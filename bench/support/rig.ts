// What a comparison runs on: the generator on one core, two back ends on the other of which one rests, memory for them,
// and a folder for their sockets. It knows how they are started and spoken to, and nothing of what is measured.
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
  /** Ports of each back end. */
  ports: number
  /** How rx-vhost looks at its rings. */
  poll: string
  /** Flags of Node for rx-vhost. */
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

/** EAL's options: one core for all threads, and hugepages if this machine lets us have them. */
function eal(core: number, mebibytes: number): string[] {
  pages ??= reserveHugepages(2 * (FRONT_END_MIB + REFERENCE_MIB))
  const memory = pages.missing ? ['--no-huge', '--no-shconf'] : ['--in-memory', '--single-file-segments']
  return ['--lcores', `0@${core}`, '--no-pci', '--no-telemetry', ...memory, '-m', String(mebibytes)]
}

/** What guest memory and the reference's packets lie on. */
export const memoryKind = (): string => (pages?.missing ? `4 KiB pages (${pages.missing})` : '2 MiB pages')

export class Rig {
  readonly options: RigOptions
  readonly folder = mkdtempSync(join(tmpdir(), 'rx-vhost-bench-'))
  generator!: Program
  back!: Record<Side, Program>
  /** What was negotiated at the first port of each side, as the front end told it. */
  masks!: Record<Side, string>
  tscMHz = 0

  readonly #clean = (): void => rmSync(this.folder, { recursive: true, force: true })

  private constructor(options: RigOptions) {
    this.options = options
    process.once('exit', this.#clean)
  }

  static async start(options: RigOptions): Promise<Rig> {
    if (cpus().length <= FRONT_END_CORE) throw new MissingError('two cores are needed, one for each end')
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

  // What rx-vhost does not offer yet is off for both.
  #device(index: number, path: string): string {
    const { ring, mergeable } = this.options
    const options = [
      `path=${path}`,
      `queues=1,queue_size=${ring},mrg_rxbuf=${mergeable ? 1 : 0}`,
      'packed_vq=0,in_order=0,vectorized=0',
    ]
    return `--vdev=net_virtio_user${index},${options.join(',')}`
  }

  /** The number by which the generator knows a side. */
  set(side: Side): number {
    return sides.indexOf(side)
  }

  /** How long a cache line takes from core to core, in nanoseconds; both back ends must be at rest. */
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
