// Prints the tests that were skipped because something is missing (test/support/needs.ts records them): one line per
// remedy, after all tests have ended.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** `text`: one line of JSON per test. */
export function skipLines(text) {
  const counts = new Map()
  for (const line of text.split('\n').filter(Boolean)) {
    const { of, remedy } = JSON.parse(line)
    const key = `${of}: ${remedy}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return [...counts].map(([key, count]) => `skipped: ${count} test${count === 1 ? '' : 's'} of ${key}`)
}

/**
 * Calls `run` with the environment for the tests, prints what they skipped, and returns their status. With
 * RX_VHOST_NO_SKIPS a skip is a failure.
 */
export function withSkips(say, runTests) {
  const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-skips-'))
  const file = join(folder, 'skipped')
  try {
    const status = runTests({ ...process.env, RX_VHOST_SKIPPED: file })
    const lines = existsSync(file) ? skipLines(readFileSync(file, 'utf8')) : []
    for (const line of lines) say(line)
    if (lines.length === 0 || !process.env.RX_VHOST_NO_SKIPS) return status
    say('failed: RX_VHOST_NO_SKIPS is set, and tests were skipped')
    return status || 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
