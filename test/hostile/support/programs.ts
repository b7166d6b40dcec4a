// Small C programs for what Node has no call for, compiled when a test wants them, with the compiler that the addon needs
// anyway.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { folder } from './stage.js'

const sources = join(import.meta.dirname, '..', '..', '..', '..', 'test', 'hostile', 'support')
/** Without what a sanitized run preloads. */
export const plainEnv = { PATH: process.env.PATH }

/** Compiles `support/<name>.c`; the path of what was made of it. */
export function compiled(name: string, ...flags: string[]): string {
  const program = join(folder, name)
  const source = join(sources, `${name}.c`)
  const all = ['-std=gnu11', '-O1', '-Wall', '-Wextra', '-Werror', ...flags, source, '-o', program]
  execFileSync('gcc', all, { env: plainEnv })
  return program
}
