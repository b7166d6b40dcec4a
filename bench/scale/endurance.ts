// `npm run bench:endurance`: sends 100 million packets from a guest in another process through a pipeline of bursts and
// back to the guest, which checks every byte. Prints the memory and the longest garbage collection at regular numbers
// of packets. Memory must not grow, and no collection may take more than 5 ms.
//
//   npm run bench:endurance -- --packets 1e9
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { MissingError } from '../support/c-program.js'
import { type Column, machine, markdownTable, saveResult, textTable } from '../support/tables.js'
import type { Look, Passed } from './back-end.js'
import { SOCKETS, withBoth } from './programs.js'
import { anonymousOf, pause } from './usage.js'

const { values } = parseArgs({ options: { packets: { type: 'string', default: '1e8' } } })
const PACKETS = Number(values.packets)
const MARKS = 10
const WARM_UP = 1_000_000
const LOOK_MS = 100
/** Minimum rate in packets per second; the bench fails if it is lower. */
const SLOWEST = 200_000
/** Maximum duration of a garbage collection. */
const PAUSE_MS = 5
/** Maximum growth from the second mark to the last. A leak of one byte per 40 packets would exceed it. */
const GROWTH_MIB = 2

interface Mark extends Look, Passed {
  /** Maximum of anonymous memory, in MiB. */
  anonymous: number
}

async function endure(path: string): Promise<Mark[]> {
  return withBoth('echo', async (backEnd, frontEnds) => {
    await backEnd.listen([path])
    await frontEnds.connect([path])
    // Warm up first, so that collections of objects from Node's start are not counted.
    await frontEnds.echo(WARM_UP)
    await backEnd.collect()
    const marks: Mark[] = []
    for (let n = 0; n < MARKS; n++) {
      let over = false
      const echoed = frontEnds
        .echo(PACKETS / MARKS, { batch: 64, timeout: (PACKETS / MARKS / SLOWEST) * 1000 })
        .finally(() => {
          over = true
        })
      // While packets pass, read memory from outside the process. The collection at each mark is not counted: it resets
      // the counts of collections.
      let anonymous = 0
      while (!over) {
        anonymous = Math.max(anonymous, anonymousOf(backEnd.pid) / 1024)
        await pause(LOOK_MS)
      }
      await echoed
      const { collections, longest, young } = await backEnd.look()
      const [collected, passed] = [await backEnd.collect(), await backEnd.passed()]
      marks.push({ ...collected, ...passed, collections, longest, young, anonymous })
      console.error(`${marks[n].packets} packets`)
    }
    return marks
  })
}

const columns: Column<Mark>[] = [
  { title: 'packets', value: ({ packets }) => packets },
  { title: 'heap MiB, collected', value: ({ heap }) => heap.toFixed(2) },
  { title: 'anonymous MiB, maximum', value: ({ anonymous }) => anonymous.toFixed(1) },
  { title: 'of which young objects', value: ({ young }) => young.toFixed(1) },
  { title: 'collections', value: ({ collections }) => collections },
  { title: 'longest ms', value: ({ longest }) => longest.toFixed(2) },
  { title: 'leases left', value: ({ leases }) => leases },
]

const folder = mkdtempSync(join(SOCKETS, 'rx-vhost-endurance-'))
try {
  const marks = await endure(join(folder, 'a'))
  const [from, to] = [marks[1], marks[MARKS - 1]]
  const longest = Math.max(...marks.map(mark => mark.longest))
  const flat = (what: string, of: (mark: Mark) => number): { ok: boolean; text: string } => {
    const grown = of(to) - of(from)
    return {
      ok: grown < GROWTH_MIB,
      text: `${what} grew by ${grown.toFixed(2)} MiB, less than ${GROWTH_MIB} MiB`,
    }
  }
  const checks = [
    { ok: longest <= PAUSE_MS, text: `longest collection: ${longest.toFixed(2)} ms, at most ${PAUSE_MS} ms` },
    flat('heap', ({ heap }) => heap),
    // Young objects are excluded: from time to time V8 doubles their memory, up to 32 MiB, if many have survived.
    flat('anonymous memory without young objects', ({ anonymous, young }) => anonymous - young),
  ]
  const lines = checks.map(({ ok, text }, n) => `${ok ? 'ok' : 'not ok'} ${n + 1} - ${text}`)
  console.log(`${textTable(columns, marks)}\n\n${lines.join('\n')}`)
  const markdown = `${markdownTable(columns, marks)}\n\n${lines.map(line => `- ${line}`).join('\n')}`
  saveResult('endurance', { machine: machine(), marks, checks }, markdown)
  if (!checks.every(({ ok }) => ok)) process.exitCode = 1
} catch (error) {
  console.error(error instanceof MissingError ? `bench:endurance: ${error.message}` : error)
  process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
