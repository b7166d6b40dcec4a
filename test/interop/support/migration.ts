// A live migration between two QEMU processes on one machine: guest 1 at one port of a switch, the place where it goes on
// at another, guest 2 at a third.
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { until } from './program.js'
import { type Guest, type QemuBuild, RAM_BYTES } from './qemu.js'
import { type Place, withSwitch } from './switched.js'

export interface Migration {
  source: Guest
  destination: Guest
  peer: Guest
  departure: Place
  arrival: Place
  folder: string
}

export interface MigrationOptions {
  qemu: QemuBuild
  /** Of guest 1's device. */
  device?: string
  /** The destination does not run until it is told to. */
  paused?: boolean
}

const SOCKET = 'migration.sock'

/** Boots guests 1 and 2 at the switch, and a QEMU that waits for guest 1. */
export async function withMigration(
  t: ExecutionContext,
  { qemu, device, paused }: MigrationOptions,
  body: (migration: Migration) => Promise<void>,
): Promise<void> {
  // Debian's kernel writes zeroes over each page that it takes: the guest's own writes then mark nearly all that the back
  // end writes, and a log without a single mark goes unnoticed.
  const append = 'init_on_alloc=0'
  // QEMU before 9.0, without KVM, loses writes of the guest's own processor: a round takes the dirty bits, but the processor
  // goes on writing those pages unseen until it forgets their translation. Only for memory that is no multiple of 256 KiB
  // it takes them page by page, and then makes the processor notice (docs/decisions.md).
  const ramBytes = RAM_BYTES + 8192
  const wanted = [
    { device, append, ramBytes },
    { number: 1, name: 'destination', incoming: SOCKET, device, append, ramBytes, paused },
    { number: 2 },
  ]
  await withSwitch(t, qemu, wanted, async ({ guests, places, folder }) => {
    const [source, destination, peer] = guests as [Guest, Guest, Guest]
    const [departure, arrival] = places as [Place, Place]
    await peer.shell.must(`ping -c 3 -w 20 ${source.address}`)
    await body({ source, destination, peer, departure, arrival, folder })
  })
}

interface MigrationInfo {
  status?: string
  'error-desc'?: string
  downtime?: number
  'total-time'?: number
  ram?: { 'dirty-sync-count': number; transferred: number }
}

/** Migrates guest 1, and gives what QEMU says about it. */
export async function migrate(t: ExecutionContext, { source, folder }: Migration): Promise<MigrationInfo> {
  // Slow enough to take several rounds over what the traffic dirties.
  await source.monitor.command('migrate-set-parameters', { 'max-bandwidth': 48 << 20, 'downtime-limit': 500 })
  await source.monitor.command('migrate', { uri: `unix:${join(folder, SOCKET)}` })
  const info = await until('the migration ends', async () => {
    const now = await source.monitor.command<MigrationInfo>('query-migrate')
    if (now.status === 'failed' || now.status === 'cancelled')
      throw new Error(`the migration ${now.status}: ${now['error-desc']}\n${source.program.tail()}`)
    return now.status === 'completed' && now
  })
  t.log(
    `migrated in ${info['total-time']} ms, down for ${info.downtime} ms, ${info.ram?.['dirty-sync-count']} rounds, ` +
      `${((info.ram?.transferred ?? 0) / 2 ** 20).toFixed(0)} MiB`,
  )
  return info
}

export const runState = async (guest: Guest): Promise<string> =>
  (await guest.monitor.command<{ status: string }>('query-status')).status
