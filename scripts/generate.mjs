// `npm run generate`: writes native/core/virtqueue/stat.h and the tables of docs/statistics.md from
// src/data/counters/declared.ts. Run it after a change there; test/data/declared.test.ts checks it.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nativeEnum, withTables } from '../dist/src/data/counters/declared.js'
import { root } from './programs.mjs'

writeFileSync(join(root, 'native/core/virtqueue/stat.h'), nativeEnum())
const page = join(root, 'docs/statistics.md')
writeFileSync(page, withTables(readFileSync(page, 'utf8')))
