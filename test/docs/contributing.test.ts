// CONTRIBUTING.md: its table has every room, and the newcomer's walk is in the files that it names.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'

const root = join(import.meta.dirname, '../../..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const contributing = read('CONTRIBUTING.md')

/** The text from one heading to the next. */
const section = (heading: string): string => contributing.split(`\n${heading}\n`)[1].split('\n#')[0]

const folders = (path: string): string[] =>
  readdirSync(join(root, path), { withFileTypes: true })
    .filter(entry => entry.isDirectory())
    .map(entry => `${path}/${entry.name}`)

test('the table of the layout has every room', t => {
  const rows = new Set(section('## Layout').match(/`(src|native)\/[\w/.-]+`/g))
  const rooms = [...folders('src'), ...folders('src/data'), ...folders('native/core')].filter(
    room => room !== 'src/data',
  )
  t.true(rooms.length > 20)
  t.deepEqual(
    rooms.filter(room => !rows.has(`\`${room}\``)),
    [],
  )
})

test("the newcomer's walk has at most eight files, and they have the functions that it names", t => {
  const rows = [...section("### A newcomer's walk").matchAll(/^\| `([\w/.-]+)` \|(.*)\|$/gm)]
  t.true(rows.length > 5 && rows.length <= 8, `${rows.length} files`)
  for (const [, file, what] of rows) {
    const text = read(file)
    for (const [, name] of what.matchAll(/`(?:\w+\.)?(\w+)(?:\(\))?`/g))
      t.regex(text, new RegExp(`\\b${name}\\b`), `${file} has ${name}`)
  }
})
