// What `readelf` says of a shared object: which processor it is for, what it needs of the system, and whether it was
// stripped.
import { execFileSync } from 'node:child_process'

const readelf = (...args: string[]): string => execFileSync('readelf', args, { encoding: 'utf8' })

export interface Binary {
  machine: string
  /** Shared libraries it names. */
  needs: string[]
  /** `GLIBC_2.34`, `GCC_3.0`: the versions of symbols that it asks for. */
  versions: string[]
  /** Symbols that no library but Node itself has. */
  fromNode: string[]
  exports: string[]
  /** Without their versions. */
  imports: string[]
  isStripped: boolean
}

export function inspect(path: string): Binary {
  const symbols = readelf('--dyn-syms', '-W', path)
    .split('\n')
    .map(line => line.trim().split(/\s+/))
    .filter(([number, , , , bind]) => /^\d+:$/.test(number) && (bind === 'GLOBAL' || bind === 'UNIQUE'))
    .map(fields => ({ undefined: fields[6] === 'UND', name: fields[7] }))
  const [needed, unneeded] = [true, false].map(wanted =>
    symbols.filter(symbol => symbol.undefined === wanted).map(({ name }) => name),
  )
  return {
    machine: /Machine:\s+(.*)/.exec(readelf('-h', path))?.[1] ?? '',
    needs: [...readelf('-dW', path).matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, name]) => name),
    versions: [...new Set([...readelf('-VW', path).matchAll(/Name: (\w+_[\d.]+)/g)].map(([, name]) => name))],
    fromNode: needed.filter(name => !name.includes('@')),
    exports: unneeded,
    imports: needed.map(name => name.replace(/@.*/, '')),
    isStripped: !/\.symtab|\.debug_/.test(readelf('-SW', path)),
  }
}
