// Tests that need something of the machine which may not be there: a program, a library, a privilege. Where it is
// missing they are skipped, and each skip is written down with its remedy for scripts/run.mjs, which tells of them at the
// end (or fails, with RX_VHOST_NO_SKIPS=1). No test is skipped in another way: needs.test.ts looks for it.
import { appendFileSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'

export interface Need {
  /** What the tests are of: "filters (libpcap)". */
  readonly of: string
  /** What to do about it where something is missing; undefined where nothing is. Asked once a test file. */
  missing(): string | undefined
}

/** A line in the file that RX_VHOST_SKIPPED names. */
export interface Skip {
  of: string
  remedy: string
  test: string
}

export type Declare = (title: string, body: (t: ExecutionContext) => unknown) => void

/** Declares tests that need something; they run one at a time. `ways`: instead of ava's, for a test of this. */
export function needing(need: Need, ways: { run: Declare; skip: Declare } = avas): Declare {
  const remedy = need.missing()
  if (remedy === undefined) return ways.run
  return (title, body) => {
    const skip: Skip = { of: need.of, remedy, test: title }
    const file = process.env.RX_VHOST_SKIPPED
    if (file) appendFileSync(file, `${JSON.stringify(skip)}\n`)
    else console.error(`skipped: ${title}: ${remedy}`)
    ways.skip(title, body)
  }
}

const avas = {
  run: (title, body) => void test.serial(title, body),
  skip: (title, body) => void test.serial.skip(title, body),
} satisfies Record<string, Declare>
