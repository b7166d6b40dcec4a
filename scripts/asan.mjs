// `npm run test:asan`: builds and runs the native tests with ASan and UBSan. Then it builds the addon in the same way,
// and runs the test suites with hostile and correct guests on it. Any report of a sanitizer is a failure. Both are
// built in their own folders below native/, and only changed files are built again.
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
      // With this flag, the tests see every load from guest memory (native/core/base/guest_load.h).
      '-DRXVHOST_PROBE_GUEST_LOADS',
      ...more,
    ],
  )
run(nativeTests('build-native-tests', sanitizers), [], {
  ASAN_OPTIONS: 'abort_on_error=1',
  UBSAN_OPTIONS: 'print_stacktrace=1',
})
// ThreadSanitizer runs only the tests of control against data, and of threads that map memory: in the others, the guest
// races on purpose. Random addresses are off, because the sanitizer needs some addresses for itself. It does not
// understand fences; see stress.mjs.
const threads = nativeTests('build-native-tests-thread', 'thread', ['-Wno-tsan'])
for (const what of ['B16', 'C21', 'C14'])
  run('setarch', ['-R', threads, what], { TSAN_OPTIONS: 'halt_on_error=1' })

// The addon. node-gyp builds beside binding.gyp, so the sources are copied to another folder for this build.

const copy = copySources('build-asan')
const gyp = join(root, 'node_modules', '.bin', 'node-gyp')
const gypFlags = [`--directory=${copy}`, '--loglevel=error', ...nodedir()]
run(gyp, ['configure', ...gypFlags, '--', `-Dsanitize=${sanitizers}`])
run(gyp, ['build', ...gypFlags, '-j', String(availableParallelism())], { MAKEFLAGS: '-s' })

/** Node is built without a sanitizer, so the sanitizer's runtime must be loaded before it. */
const library = name => spawnSync('gcc', [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout.trim()

run(
  join(root, 'node_modules', '.bin', 'ava'),
  ['hostile', 'guest', 'bpf', 'tap'].map(folder => `dist/test/${folder}/*.test.js`),
  {
    RX_VHOST_ADDON: join(copy, 'build', 'Release', 'rx_vhost.node'),
    // With a sanitizer, a few repetitions are enough.
    RX_VHOST_REPEATS: process.env.RX_VHOST_REPEATS ?? '3',
    LD_PRELOAD: library('libasan.so'),
    // Node itself does not free all memory at its end. The native tests look for our leaks.
    ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=1',
    UBSAN_OPTIONS: 'print_stacktrace=1',
  },
)
