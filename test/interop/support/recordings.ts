// The recordings that test/control replays: RX_VHOST_RECORD=1 makes the tests write them anew, from the programs as they
// are here.
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './program.js'

const folder = join(root, 'test/control/recordings')

/** Where a test's back end writes its trace, and what makes a recording of it. */
export function recording(workFolder: string, name: string): { trace: string; keep(): void } {
  const trace = join(workFolder, 'trace.jsonl')
  rmSync(trace, { force: true })
  return {
    trace,
    keep() {
      if (!process.env.RX_VHOST_RECORD) return
      mkdirSync(folder, { recursive: true })
      copyFileSync(trace, join(folder, `${name}.jsonl`))
    },
  }
}

/** Makes a recording of a trace that a test has kept, a line of JSON a message. */
export function record(lines: readonly string[], name: string): void {
  if (!process.env.RX_VHOST_RECORD) return
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `${name}.jsonl`), `${lines.join('\n')}\n`)
}
