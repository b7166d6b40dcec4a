// The import edges of the design, as data: any other edge fails, for TypeScript and for C++. So do files beyond
// their budget that do not say why at their top. A folder or module that is not listed fails too, so that a new one
// gets its place here first.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { RING_COUNTERS } from '../src/data/counters.js'
import { QUEUES_A_BLOCK } from '../src/data/queue-counters.js'
import { native } from '../src/native.js'
import { reasons } from '../src/reasons.js'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

// What each part of src/ may import besides itself: a file of src/, a folder, or one file of a folder.
const common = ['errors', 'debug']
const edges: Record<string, string[]> = {
  errors: [],
  abort: [],
  debug: [],
  reasons: [],
  'addon-path': [],
  native: [
    ...common,
    'addon-path',
    'native-memory',
    'guest/native-guest',
    'bpf/native-bpf',
    'tap/native-tap',
  ],
  'native-memory': [],
  wakeup: [...common, 'native'],
  control: [],
  transport: [...common, 'native', 'wakeup', 'reasons'],
  events: [...common, 'control'],
  slots: ['packet', 'burst-core'],
  'packet-header': [],
  'packet-view': ['packet-header', 'slots'],
  packet: [...common, 'packet-header', 'packet-view', 'slots'],
  'burst-core': ['packet'],
  'packet-iterator': [],
  burst: [...common, 'packet', 'burst-core', 'packet-iterator'],
  predicate: ['packet', 'burst-core'],
  'writable-packet': ['packet', 'packet-view', 'packet-header', 'slots'],
  'per-slot': ['slots'],
  rewriting: ['packet-view', 'slots', 'per-slot', 'writable-packet'],
  'copy-bytes': [],
  'detached-packet': ['packet-view', 'slots', 'packet-iterator', 'copy-bytes'],
  headers: ['packet-view', 'slots', 'writable-packet'],
  'lru-table': [],
  sink: [...common, 'burst', 'packet'],
  data: [...common, 'native', 'wakeup', 'reasons', 'burst', 'packet', 'sink'],
  operators: [
    ...common,
    'headers',
    'burst',
    'packet',
    'writable-packet',
    'rewriting',
    'per-slot',
    'detached-packet',
    'events',
    'sink',
    'abort',
    'predicate',
    'headers',
    'lru-table',
  ],
  bpf: [...common, 'native', 'burst-core', 'packet', 'predicate'],
  streams: ['errors', 'abort', 'burst', 'sink'],
  // An operator and a source in one folder, apart from the pure operators: they know files.
  capture: [...common, 'burst', 'packet', 'predicate', 'sink', 'data', 'operators/support', 'copy-bytes'],
  stats: ['data'],
  'stats-meter': ['data', 'stats'],
  'queue-life': [],
  queue: [...common, 'queue-life', 'data', 'burst', 'packet', 'sink', 'stats', 'stats-meter'],
  'device-events': [...common, 'control', 'events'],
  'device-trace': [...common, 'control'],
  effects: ['control', 'native', 'reasons'],
  'memory-changes': ['control', 'effects', 'native', 'reasons', 'wakeup'],
  'device-asks': ['control', 'effects', 'memory-changes', 'reasons', 'transport'],
  'device-session': [
    ...common,
    'device-events',
    'control',
    'transport',
    'data',
    'device-asks',
    'effects',
    'events',
    'device-events',
    'device-trace',
    'native',
  ],
  'by-pair': [],
  'queue-pairs': [...common, 'by-pair', 'data', 'queue', 'queue-life', 'device-session', 'events'],
  device: [
    ...common,
    ...['control', 'data', 'queue', 'queue-pairs', 'device-events', 'device-session', 'events'],
    ...['stats', 'stats-meter'],
  ],
  'driver-options': [...common, 'control', 'data', 'sink', 'transport'],
  'driver-features': [...common, 'control'],
  'driver-queues': [...common, 'by-pair', 'data', 'queue', 'queue-life', 'queue-pairs', 'driver-options'],
  'driver-origins': [...common, 'native', 'transport', 'driver-options'],
  'driver-device': [
    'control',
    'transport',
    'events',
    'queue-pairs',
    'device',
    'device-session',
    'device-trace',
  ],
  'late-subject': [],
  'driver-life': [
    ...[
      'abort',
      'late-subject',
      'transport',
      'wakeup',
      'events',
      'queue',
      'queue-life',
      'device',
      'device-trace',
    ],
    ...['driver-device', 'driver-features', 'driver-options', 'driver-origins', 'driver-queues'],
  ],
  driver: [
    ...common,
    ...['control', 'data', 'events', 'sink', 'queue', 'device'],
    ...['device-trace', 'driver-features', 'driver-life', 'driver-options', 'stats', 'stats-meter'],
  ],
  tap: [...common, 'abort', 'native', 'wakeup', 'control/feature-names', 'data', 'queue', 'sink'],
  guest: [...common, 'abort', 'native', 'wakeup', 'reasons'],
  testing: [
    ...common,
    ...['control', 'burst', 'packet', 'sink', 'queue', 'data', 'operators', 'events', 'stats', 'stats-meter'],
  ],
  index: ['*'],
}

/** Packages, and who may import them: rxjs stays out of control, transport and all that knows the addon. */
const face = [
  ...[
    'stats-meter',
    'queue',
    'queue-life',
    'queue-pairs',
    'device',
    'driver',
    'driver-device',
    'driver-life',
  ],
  ...['events', 'index', 'late-subject'],
]
const packages: Record<string, string[]> = {
  rxjs: [...face, 'operators', 'streams', 'capture', 'tap', 'guest', 'testing'],
  debug: ['debug'],
}

// C++: a layer may include itself and those listed.
const layers: Record<string, string[]> = {
  'core/base': [],
  'core/memory': ['core/base'],
  'core/virtqueue': ['core/memory', 'core/base'],
  'core/net': ['core/virtqueue', 'core/memory', 'core/base'],
  'core/bpf': ['core/base'],
  'core/tap': ['core/net', 'core/virtqueue', 'core/base'],
  'core/flow': ['core/net', 'core/virtqueue', 'core/memory', 'core/base'],
  guest: ['core/base'],
  addon: [
    'core/base',
    'core/memory',
    'core/virtqueue',
    'core/net',
    'core/bpf',
    'core/tap',
    'core/flow',
    'guest',
  ],
  test: ['core/base', 'core/memory', 'core/virtqueue', 'core/net', 'core/bpf', 'guest'],
  fuzz: ['core/base', 'core/memory', 'core/virtqueue', 'core/net', 'guest'],
  bench: ['core/base', 'core/memory', 'core/virtqueue', 'core/net', 'guest'],
  stress: ['core/base', 'core/memory', 'core/virtqueue', 'core/net', 'guest', 'test'],
}

function filesUnder(folder: string, pattern: RegExp): string[] {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => pattern.test(name) && !/(^|\/)(build[^/]*|node_modules)\//.test(name))
    .map(name => join(folder, name))
    .sort()
}

const text = (file: string): string => readFileSync(join(root, file), 'utf8')

/** `src/control/codec.ts` → `control`, `src/native.ts` → `native`. */
const partOf = (file: string): string => relative('src', file).replace(/\.ts$/, '').split('/')[0]

function imports(file: string): string[] {
  const found = text(file).matchAll(/\bfrom '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm)
  return [...found].map(m => m[1] ?? m[2] ?? m[3])
}

const layerOf = (path: string) => Object.keys(layers).find(name => path.startsWith(`${name}/`))

const sources = filesUnder('src', /\.ts$/)
const cpp = filesUnder('native', /\.(cc|h)$/)

/** What is wrong with an import; undefined = nothing. */
function importFault(file: string, specifier: string): string | undefined {
  const part = partOf(file)
  if (!edges[part]) return `${file}: "${part}" has no place among the edges`
  if (!specifier.startsWith('.')) {
    const users = packages[specifier.split('/')[0]]
    const ok = users ? users.includes(part) : specifier.startsWith('node:')
    return ok ? undefined : `${file} imports ${specifier}`
  }
  const target = relative(join(root, 'src'), resolve(root, dirname(file), specifier)).replace(/\.js$/, '')
  const to = target.split('/')[0]
  const ok = to === part || ['*', to, target].some(name => edges[part].includes(name))
  return ok ? undefined : `${file} imports ${specifier}: ${part} → ${to} is no edge`
}

test('TypeScript imports point downward only', t => {
  t.true(sources.length > 20)
  const faults = sources.flatMap(file => imports(file).map(specifier => importFault(file, specifier)))
  t.deepEqual(faults.filter(Boolean), [])
})

test('control knows neither sockets, nor the addon, nor Node', t => {
  for (const file of sources.filter(name => partOf(name) === 'control'))
    t.deepEqual(
      imports(file).filter(specifier => !/^\.\//.test(specifier)),
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

test('files keep to their budgets, or say at their top why not', t => {
  const over = [
    ...sources.map(file => [file, 200] as const),
    ...cpp.map(file => [file, 400] as const),
  ].filter(([file, budget]) => {
    const lines = text(file).trimEnd().split('\n')
    return lines.length > budget && !lines.slice(0, 20).some(line => /over (the )?budget/i.test(line))
  })
  t.deepEqual(
    over.map(([file]) => `${file}: ${text(file).trimEnd().split('\n').length} lines`),
    [],
  )
})

// An operator's is the comment of the operator itself.
test('every file begins with what it is for', t => {
  const silent = [
    ...sources.filter(file => partOf(file) !== 'operators'),
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

test('counters of a ring have the same order on both sides', t => {
  // librte_vhost's names and ours for the same counters.
  const others: Record<string, string> = {
    good_packets: 'stat_packets',
    good_bytes: 'stat_bytes',
    multicast_packets: 'stat_multicast',
    broadcast_packets: 'stat_broadcast',
    guest_notifications: 'stat_calls',
    guest_notifications_suppressed: 'stat_calls_suppressed',
    guest_notifications_error: 'stat_call_errors',
  }
  const isBin = (name: string): boolean => /^(undersize|size_\d+(_\w+)?)_packets$/.test(name)
  const stats = ['bad-buffers', 'checksums', 'bursts', 'idle-bursts']
  const words = RING_COUNTERS.filter(name => !isBin(name)).map(
    name => others[name] ?? `${stats.includes(name) ? 'stat' : 'drop'}_${name.replaceAll('-', '_')}`,
  )
  words.splice(4, 0, 'stat_size_bins')
  t.is(RING_COUNTERS.filter(isBin).length, 8)
  const [, body] = text('native/core/virtqueue/counters.h').match(/enum Stat[^{]*\{([^}]*)\}/) ?? []
  const native = body
    .replace(/\/\/.*$/gm, '')
    .split(',')
    .map(entry => entry.trim().split(' ')[0])
  t.deepEqual(native.filter(Boolean), [...words, 'stat_count'])
  t.regex(text('native/addon/queues.h'), new RegExp(`\\bkBlock = ${QUEUES_A_BLOCK};`))
})
