// Sets aside 2 MiB pages for the tests of a file and gives back what it took. Only root can.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

const folder = '/sys/kernel/mm/hugepages/hugepages-2048kB'
const read = (name: string): number => Number(readFileSync(`${folder}/${name}`, 'utf8'))

export interface Hugepages {
  /** Why there are none; undefined when they are there. */
  missing?: string
  restore(): void
}

/** Makes `mebibytes` of 2 MiB pages available, until `restore` or the end of the process. */
export function reserveHugepages(mebibytes: number): Hugepages {
  const nothing = (): void => {}
  if (!existsSync(folder)) return { missing: 'this kernel has no 2 MiB pages', restore: nothing }
  const before = read('nr_hugepages')
  const wanted = before + Math.max(0, mebibytes / 2 - read('free_hugepages'))
  if (wanted === before) return { restore: nothing }
  const restore = (): void => {
    process.removeListener('exit', restore)
    writeFileSync(`${folder}/nr_hugepages`, String(before))
  }
  try {
    writeFileSync(`${folder}/nr_hugepages`, String(wanted))
  } catch (error) {
    return {
      missing: `sysctl vm.nr_hugepages=${wanted} as root (${(error as Error).message})`,
      restore: nothing,
    }
  }
  process.once('exit', restore) // also when the test runner gives up in the middle
  if (read('nr_hugepages') >= wanted) return { restore }
  restore()
  return { missing: `the machine has not ${mebibytes} MiB of contiguous memory left`, restore: nothing }
}
