// The import edges of the design, as data: any other edge fails, for TypeScript and for C++. A room that is not listed fails
// too, so that a new one gets its place here first.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { native } from '../src/addon/native.js'
import { reasons } from '../src/addon/reasons.js'
import { QUEUES_A_BLOCK } from '../src/data/ring/queue-counters.js'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

// What each room of src/ may import besides itself: a room, or one file of a room. A room within a room has edges of its own;
// files that lie directly in `data` belong to the room `data`.
const common = ['errors', 'debug']
const edges: Record<string, string[]> = {
  errors: [],
  debug: [],
  abort: [],
  addon: common,
  packet: common,
  control: [],
  transport: [...common, 'addon'],
  headers: ['packet'],
  operators: [...common, 'abort', 'packet', 'headers'],
  bpf: [...common, 'addon', 'packet'],
  streams: ['errors', 'abort', 'packet'],
  'data/counters': [],
  'data/turn': [],
  'data/pool': [...common, 'addon', 'packet'],
  data: [...common, 'addon', 'packet', 'data/pool', 'data/turn'],
  'data/ring': [...[...common, 'addon', 'data/env', 'data/pair-steering', 'data/counters', 'data/turn']],
  'data/source': [
    ...[...common, 'packet', 'data/plane', 'data/ring', 'data/pool', 'data/turn', 'data/counters'],
  ],
  'data/sink': [
    ...[...common, 'packet', 'data/plane', 'data/ring', 'data/pool', 'data/turn', 'data/counters'],
  ],
  queue: [...common, 'packet', 'data'],
  device: [...common, 'control', 'transport', 'addon', 'data/ring'],
  // Packets begin here: the rest of `device` is the same for every kind of virtio device.
  'device/net': [...common, 'control', 'data', 'queue', 'device'],
  driver: [...common, 'abort', 'control', 'transport', 'addon', 'packet', 'data', 'queue', 'device'],
  tap: [...common, 'abort', 'addon', 'packet', 'control/feature-names', 'data', 'queue'],
  guest: [...common, 'abort', 'addon'],
  // An operator and a source in one room, apart from the pure operators: they use files.
  capture: [...common, 'packet', 'data', 'operators/shared'],
  testing: [...common, 'control', 'packet', 'data', 'queue', 'device/events', 'operators'],
  index: ['*'],
}

/** Packages, and who may import them: rxjs stays out of control, transport and all that uses the addon. */
const packages: Record<string, string[]> = {
  rxjs: [
    ...[
      'queue',
      'device/net',
      'driver',
      'index',
      'operators',
      'streams',
      'capture',
      'tap',
      'guest',
      'testing',
    ],
  ],
  debug: ['debug'],
}

// C++: a layer may include itself and those listed.
const layers: Record<string, string[]> = {
  'core/base': [],
  'core/memory': ['core/base'],
  'core/virtqueue': ['core/memory', 'core/base'],
  'core/vhost': ['core/virtqueue', 'core/memory', 'core/base'],
  'core/net': ['core/vhost', 'core/virtqueue', 'core/memory', 'core/base'],
  'core/bpf': ['core/base'],
  'core/tap': ['core/net', 'core/virtqueue', 'core/base'],
  'core/flow': ['core/net', 'core/virtqueue', 'core/memory', 'core/base'],
  guest: ['core/base'],
  addon: [
    'core/base',
    'core/memory',
    'core/virtqueue',
    'core/vhost',
    'core/net',
    'core/bpf',
    'core/tap',
    'core/flow',
    'guest',
  ],
  test: ['core/base', 'core/memory', 'core/virtqueue', 'core/vhost', 'core/net', 'core/bpf', 'guest'],
  fuzz: ['core/base', 'core/memory', 'core/virtqueue', 'core/vhost', 'core/net', 'guest'],
  bench: ['core/base', 'core/memory', 'core/virtqueue', 'core/vhost', 'core/net', 'guest'],
  stress: ['core/base', 'core/memory', 'core/virtqueue', 'core/vhost', 'core/net', 'guest', 'test'],
}

function filesUnder(folder: string, pattern: RegExp): string[] {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => pattern.test(name) && !/(^|\/)(build[^/]*|node_modules)\//.test(name))
    .map(name => join(folder, name))
    .sort()
}

const text = (file: string): string => readFileSync(join(root, file), 'utf8')

/** `control/codec` → `control`, `data/pool/pool` → `data/pool`, `index` → `index`: the innermost room with edges. */
function roomOf(module: string): string | undefined {
  for (let room = module; room !== '.'; room = dirname(room)) if (room in edges) return room
  return undefined
}

const moduleOf = (file: string): string => relative('src', file).replace(/\.c?ts$/, '')

function imports(file: string): string[] {
  const found = text(file).matchAll(/\bfrom '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm)
  return [...found].map(m => m[1] ?? m[2] ?? m[3])
}

const layerOf = (path: string) => Object.keys(layers).find(name => path.startsWith(`${name}/`))

const sources = filesUnder('src', /\.ts$/)
const cpp = filesUnder('native', /\.(cc|h)$/)

/** The module that a relative specifier of `file` names: `data/pool/pool`. */
const targetOf = (file: string, specifier: string): string =>
  relative(join(root, 'src'), resolve(root, dirname(file), specifier)).replace(/\.c?js$/, '')

/** What is wrong with an import; undefined = nothing. */
function importFault(file: string, specifier: string): string | undefined {
  const room = roomOf(moduleOf(file))
  if (!room) return `${file}: no room of that name has edges`
  if (!specifier.startsWith('.')) {
    const users = packages[specifier.split('/')[0]]
    const ok = users ? users.includes(room) : specifier.startsWith('node:')
    return ok ? undefined : `${file} imports ${specifier}`
  }
  const target = targetOf(file, specifier)
  // An edge to a room is one to the rooms within it.
  const ok =
    roomOf(target) === room ||
    edges[room].some(edge => edge === '*' || target === edge || target.startsWith(`${edge}/`))
  return ok ? undefined : `${file} imports ${specifier}: ${room} → ${target} is no edge`
}

test('TypeScript imports point downward only', t => {
  t.true(sources.length > 20)
  const faults = sources.flatMap(file => imports(file).map(specifier => importFault(file, specifier)))
  t.deepEqual(faults.filter(Boolean), [])
})

test('no file imports itself by way of others, not even for a type', t => {
  const graph = new Map(
    sources.map(file => [
      moduleOf(file),
      imports(file)
        .filter(specifier => specifier.startsWith('.'))
        .map(specifier => targetOf(file, specifier)),
    ]),
  )
  const done = new Set<string>()
  const circles: string[] = []
  function visit(module: string, route: string[]): void {
    const start = route.indexOf(module)
    if (start >= 0) circles.push([...route.slice(start), module].join(' → '))
    if (start >= 0 || done.has(module)) return
    for (const next of graph.get(module) ?? []) visit(next, [...route, module])
    done.add(module)
  }
  for (const module of graph.keys()) visit(module, [])
  t.deepEqual(circles, [])
})

test('what lies flat in src is what every room needs', t => {
  const flat = readdirSync(join(root, 'src')).filter(name => /\.c?ts$/.test(name))
  t.deepEqual(flat.sort(), ['abort.ts', 'debug.ts', 'errors.ts', 'index.cts', 'index.ts'])
})

test('control imports nothing but itself', t => {
  for (const file of sources.filter(name => roomOf(moduleOf(name)) === 'control'))
    t.deepEqual(
      imports(file).filter(specifier => !targetOf(file, specifier).startsWith('control/')),
      [],
      file,
    )
})

function includeFault(file: string, included: string): string | undefined {
  const layer = layerOf(relative('native', file))
  const to = layerOf(included)
  if (!layer) return `${file} is in no layer`
  if (!to) return `${file} includes "${included}", which is in no layer`
  const ok = to === layer || layers[layer].includes(to)
  return ok ? undefined : `${file} includes "${included}": ${layer} → ${to} is no edge`
}

test('C++ includes point downward only', t => {
  t.true(cpp.length > 10)
  const faults = cpp.flatMap(file =>
    [...text(file).matchAll(/^\s*#include "([^"]+)"/gm)].map(([, included]) => includeFault(file, included)),
  )
  t.deepEqual(faults.filter(Boolean), [])
})

test('only the addon knows Node and libuv', t => {
  for (const file of cpp.filter(name => !name.startsWith('native/addon/')))
    t.notRegex(text(file), /#include\s+<(napi|node_api|node|uv|v8)[^>]*\.h>/, file)
})

// An operator's is the comment of the operator itself.
test('every file begins with what it is for', t => {
  const silent = [
    ...sources.filter(file => !moduleOf(file).startsWith('operators/')),
    ...cpp.filter(name => name.endsWith('.h')),
  ]
  t.deepEqual(
    silent.filter(file => !/^(\/\/|\/\*)/.test(text(file))),
    [],
  )
})

test('the reasons are the same words in the same order on both sides', t => {
  t.deepEqual(native().reasonNames(), [...reasons])
})

test('a block of counters has room for the same number of queues on both sides', t => {
  t.regex(text('native/addon/queues.h'), new RegExp(`\\bkBlock = ${QUEUES_A_BLOCK};`))
})
