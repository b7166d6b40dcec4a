// `npm run test:asan`: the native tests built with ASan and UBSan and run; then the addon itself built that way, and
// the suites that play hostile and well-behaved guests run on it. Any report ends the process with a failure.
// Both are built in folders of their own below native/, and only what has changed is built again.
import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { copySources, nodedir } from './native-copy.mjs'
import { program, root, run } from './programs.mjs'

const sanitizers = 'address,undefined'

// The native tests

const nativeTests = (folder, sanitizer, more = []) =>
  program(
    folder,
    'native-tests',
    ['core', 'guest', 'test'],
    [
      '-O1',
      '-fno-omit-frame-pointer',
      `-fsanitize=${sanitizer}`,
      '-fno-sanitize-recover=all',
      // native/core/base/guest_load.h: the tests watch every load of a guest's memory.
      '-DRXVHOST_PROBE_GUEST_LOADS',
      ...more,
    ],
  )
run(nativeTests('build-native-tests', sanitizers), [], {
  ASAN_OPTIONS: 'abort_on_error=1',
  UBSAN_OPTIONS: 'print_stacktrace=1',
})
// Of control against data, and of threads that map memory; the others have a guest that races with us on purpose. Without random addresses: this
// sanitizer wants some of them for itself. It knows no fences, as in stress.mjs.
const threads = nativeTests('build-native-tests-thread', 'thread', ['-Wno-tsan'])
for (const what of ['B16', 'C21', 'C14'])
  run('setarch', ['-R', threads, what], { TSAN_OPTIONS: 'halt_on_error=1' })

// The addon. node-gyp builds beside its binding.gyp, so the sources are copied to a folder where it has another build.

const copy = copySources('build-asan')
const gyp = join(root, 'node_modules', '.bin', 'node-gyp')
const gypFlags = [`--directory=${copy}`, '--loglevel=error', ...nodedir()]
run(gyp, ['configure', ...gypFlags, '--', `-Dsanitize=${sanitizers}`])
run(gyp, ['build', ...gypFlags, '-j', String(availableParallelism())], { MAKEFLAGS: '-s' })

/** Node has no sanitizer of its own, so the runtime of ours must be there before it. */
const library = name => spawnSync('gcc', [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout.trim()

run(
  join(root, 'node_modules', '.bin', 'ava'),
  ['hostile', 'guest', 'bpf', 'tap'].map(folder => `dist/test/${folder}/*.test.js`),
  {
    RX_VHOST_ADDON: join(copy, 'build', 'Release', 'rx_vhost.node'),
    // A sanitizer sees in one run what a count sees in a thousand.
    RX_VHOST_REPEATS: process.env.RX_VHOST_REPEATS ?? '3',
    LD_PRELOAD: library('libasan.so'),
    // What Node itself leaves to the end of the process is no leak of ours; the native tests look for those.
    ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=1',
    UBSAN_OPTIONS: 'print_stacktrace=1',
  },
)
