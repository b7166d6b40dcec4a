// DPDK's testpmd: as a front end (virtio-user ports), as a back end (vhost ports), and the reader of its counters. It
// always runs interactively, so that forwarding can stop, and rings drain, while the ports are still up.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { needProgram, Program, until } from './program.js'

export interface PortStatistics {
  rxPackets: number
  rxDropped: number
  txPackets: number
  txDropped: number
}

export interface TestpmdOptions {
  /** One `--vdev` each; see `virtioUser` and `vhost`. */
  devices: string[]
  mode: 'txonly' | 'rxonly' | 'io' | 'macswap' | 'flowgen'
  /** 2 MiB pages, which `reserveHugepages` has set aside; otherwise plain anonymous memory. */
  hugepages?: boolean
  /** Further options of testpmd itself, for instance `--txpkts=64,1518`. */
  extra?: string[]
  /** The core which it gets, all threads on it (so that a polling testpmd leaves the other one free). */
  core?: number
}

/** A port which is a front end: the driver of a virtio device whose back end is at `path`. */
export const virtioUser = (index: number, path: string, options = ''): string =>
  `net_virtio_user${index},path=${path},queues=1,queue_size=256${options && `,${options}`}`

/**
 * A port which is a back end, listening at `path`. tso=1 makes it offer all offloads; with legacy-ol-flags=1 a header's
 * checksum and segmentation requests travel on, rather than being completed by the port.
 */
export const vhost = (index: number, path: string): string =>
  `net_vhost${index},iface=${path},queues=1,tso=1,legacy-ol-flags=1`

/** testpmd's arguments, as docs/front-ends.md prints them. */
export function testpmdArguments(options: TestpmdOptions): string[] {
  const memory = options.hugepages ? ['--in-memory', '--single-file-segments'] : ['--no-huge', '--no-shconf']
  return [
    ...['--lcores', `(0-1)@${options.core ?? 1}`, '--no-pci', '--no-telemetry', ...memory, '-m', '256'],
    ...options.devices.map(device => `--vdev=${device}`),
    ...['--', '--interactive', '--nb-cores=1', '--total-num-mbufs=4096', `--forward-mode=${options.mode}`],
    ...(options.extra ?? []),
  ]
}

export class Testpmd {
  readonly program: Program

  private constructor(options: TestpmdOptions) {
    const command = needProgram('dpdk-testpmd', 'dpdk-dev')
    const runtime = mkdtempSync(join(tmpdir(), 'rxvhost-testpmd-'))
    // It does not flush what it prints into a pipe; and what EAL leaves in its runtime folder goes with the folder.
    this.program = new Program('stdbuf', ['-oL', command, ...testpmdArguments(options)], {
      name: `testpmd ${options.mode}`,
      env: { RUNTIME_DIRECTORY: runtime },
    })
    const clean = (): void => rmSync(runtime, { recursive: true, force: true })
    this.program.exited.then(clean, clean)
  }

  /** Starts it with its ports up and not yet forwarding. */
  static async start(options: TestpmdOptions): Promise<Testpmd> {
    const testpmd = new Testpmd(options)
    await testpmd.program.line(/^Done$/)
    return testpmd
  }

  /** Runs a command and gives the lines that it printed. */
  async command(text: string): Promise<string[]> {
    const from = this.program.lines.length
    // The prompt has no line end of its own; an unknown command's complaint marks where this one's output ends.
    this.program.write(`${text}\nshow fence\n`)
    await this.program.line(/Bad arguments|Command not found/, from)
    return this.program.lines.slice(from)
  }

  async forward(): Promise<void> {
    await this.command('start')
  }

  /** Stops forwarding, with the ports up; gives what each port has forwarded since the start. */
  async stopForwarding(): Promise<PortStatistics[]> {
    return parseForwardStatistics(await this.command('stop'))
  }

  /** What a port has counted so far. */
  async port(index: number): Promise<{ received: number; sent: number }> {
    const text = (await this.command(`show port stats ${index}`)).join('\n')
    const number = (name: string): number => Number(text.match(new RegExp(`${name}: *(\\d+)`))![1])
    return { received: number('RX-packets'), sent: number('TX-packets') }
  }

  /** The counters of a port's first queue, by the names that librte_vhost and its virtio driver share. */
  async queueCounters(index: number, direction: 'rx' | 'tx'): Promise<Record<string, number>> {
    const lines = await this.command(`show port xstats ${index}`)
    const found = lines.map(line =>
      line.match(new RegExp(`^${direction}_q0_(\\w+_(?:packets|bytes)): *(\\d+)`)),
    )
    return Object.fromEntries(found.flatMap(match => (match ? [[match[1], Number(match[2])]] : [])))
  }

  /** Waits until the port has received that many packets. */
  async hasReceived(packets: number): Promise<void> {
    await until(`testpmd: ${packets} packets`, async () => (await this.port(0)).received >= packets)
  }

  /** Waits until the port receives no more: the same count ten times in a row. Gives the count. */
  async atRest(): Promise<number> {
    let last = -1
    let same = 0
    return until('testpmd: at rest', async () => {
      const { received } = await this.port(0)
      same = received === last ? same + 1 : 0
      last = received
      return same >= 10 && received
    })
  }

  /** Ends it the way a user does, by Ctrl-C. */
  async stop(): Promise<void> {
    await this.program.stop('SIGINT')
  }
}

/** The "Forward statistics for port N" blocks that testpmd prints when forwarding stops. */
export function parseForwardStatistics(lines: string[]): PortStatistics[] {
  const ports: PortStatistics[] = []
  let port: PortStatistics | undefined
  for (const line of lines) {
    const head = line.match(/Forward statistics for port (\d+)/)
    if (head) {
      port = { rxPackets: 0, rxDropped: 0, txPackets: 0, txDropped: 0 }
      ports[Number(head[1])] = port
    } else if (/Accumulated/.test(line)) port = undefined
    for (const [, direction, kind, value] of line.matchAll(/([RT]X)-(packets|dropped): *(\d+)/g)) {
      if (!port) continue
      const key =
        `${direction.toLowerCase()}${kind === 'packets' ? 'Packets' : 'Dropped'}` as keyof PortStatistics
      port[key] = Number(value)
    }
  }
  return ports
}
