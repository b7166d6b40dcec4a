// docs/hostile-inputs.md and docs/protocol-quirks.md: each id that a test cites has a row, and each row names the files that
// cite it. With RX_VHOST_RECORD=1 the column of files is written anew.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'

const root = join(import.meta.dirname, '../../..')

const FOLDERS = ['test/control', 'test/data', 'test/hostile', 'test/risks', 'test/transport', 'native/test']
/** Not ids: V8 is the engine. */
const NO_IDS = new Set(['V8'])

/** `test/hostile/fds.test.ts` → `hostile/fds`, `native/test/log_test.cc` → `native/log_test`. */
const shortName = (file: string): string =>
  file.replace(/^test\/|(?<=^native\/)test\//, '').replace(/(\.test)?\.\w+$/, '')

/** Short names of the files that cite each id. */
const citations = new Map<string, string[]>()
for (const folder of FOLDERS)
  for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).sort()) {
    if (!/(\.test\.ts|\.cc)$/.test(name)) continue
    const file = join(folder, name)
    const ids = readFileSync(join(root, file), 'utf8').matchAll(/\b[A-FHLNQV][1-9]\d?\b/g)
    for (const id of new Set([...ids].map(match => match[0])))
      if (!NO_IDS.has(id)) citations.set(id, [...(citations.get(id) ?? []), shortName(file)])
  }

const ROW = /^\| ([A-Z]\d+) \|(.*)\|([^|]*)\|$/gm

for (const [path, ids] of [
  ['docs/hostile-inputs.md', /^[A-FHLNV]/],
  ['docs/protocol-quirks.md', /^Q/],
] as const) {
  const document = join(root, path)
  const text = readFileSync(document, 'utf8')

  test(`${path} has one row for each id that a test cites`, t => {
    const cited = [...citations.keys()].filter(id => ids.test(id))
    const rows = [...text.matchAll(ROW)].map(match => match[1])
    t.true(cited.length > 20)
    t.deepEqual(rows.toSorted(), [...cited].sort())
  })

  test(`${path} names the files that cite each id`, t => {
    const right = text.replace(ROW, (_, id, body) => {
      const files = (citations.get(id) ?? []).map(name => `\`${name}\``)
      return `| ${id} |${body}| ${files.join(', ')} |`
    })
    if (process.env.RX_VHOST_RECORD === '1') {
      writeFileSync(document, right)
      t.pass()
    } else t.deepEqual(text.split('\n'), right.split('\n'))
  })
}
