// `npm run bench:endurance`: 100 million packets out of a guest in another process, through a pipeline of bursts and
// back into it, every byte checked there. Printed on the way: memory after so many packets, and the longest pause for a
// collection. Memory must stay flat, no pause be longer than 5 ms.
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
/** The least packets a second that it waits for. */
const SLOWEST = 200_000
/** A collection's pause at most. */
const PAUSE_MS = 5
/** Growth from the second mark to the last: a byte leaked for every forty packets would be more. */
const GROWTH_MIB = 2

interface Mark extends Look, Passed {
  /** MiB. */
  anonymous: number
}

async function endure(path: string): Promise<Mark[]> {
  return withBoth('echo', async (backEnd, frontEnds) => {
    await backEnd.listen([path])
    await frontEnds.connect([path])
    // What Node collects of its own start is no pause of a pipeline.
    await frontEnds.echo(WARM_UP)
    await backEnd.collect()
    const marks: Mark[] = []
    for (let n = 0; n < MARKS; n++) {
      let over = false
      const echoed = frontEnds
        .echo(PACKETS / MARKS, { batch: 64, patience: (PACKETS / MARKS / SLOWEST) * 1000 })
        .finally(() => {
          over = true
        })
      // While packets pass, so that what is asked for here does not count: a collection at each mark resets the pauses.
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
  { title: 'anonymous MiB, at most', value: ({ anonymous }) => anonymous.toFixed(1) },
  { title: 'of it for young objects', value: ({ young }) => young.toFixed(1) },
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
    // Now and then V8 doubles what it has for young objects, up to 32 MiB, by how many survived since it last did.
    flat('anonymous memory but for young objects', ({ anonymous, young }) => anonymous - young),
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
