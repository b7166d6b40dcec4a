// Looks up names of functions that V8 compiled, in the map file of --perf-basic-prof. V8 reuses addresses, so the last
// entry that contains an address is the right entry; perf itself may use an older entry.
import { readFileSync, rmSync } from 'node:fs'

export class CodeMap {
  readonly #path: string
  #entries: { start: number; end: number; name: string }[] | undefined
  readonly #known = new Map<string, string>()

  constructor(pid: number) {
    this.#path = `/tmp/perf-${pid}.map`
  }

  /** Returns the name of the function at `address`, which is in hexadecimal. */
  nameAt(address: string): string {
    let name = this.#known.get(address)
    if (name === undefined) {
      const at = Number.parseInt(address, 16)
      this.#entries ??= this.#read()
      name = this.#entries.findLast(({ start, end }) => at >= start && at < end)?.name ?? '[unknown]'
      this.#known.set(address, name)
    }
    return name
  }

  remove(): void {
    rmSync(this.#path, { force: true })
  }

  #read(): { start: number; end: number; name: string }[] {
    return readFileSync(this.#path, 'utf8')
      .split('\n')
      .map(line => /^([0-9a-f]+) ([0-9a-f]+) (.*)$/.exec(line))
      .filter(match => match !== null)
      .map(([, from, size, name]) => {
        const start = Number.parseInt(from, 16)
        return { start, end: start + Number.parseInt(size, 16), name }
      })
  }
}
