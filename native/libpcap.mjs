// Makes the archive of libpcap that the addon is linked with, and prints its path; prints nothing where there is none
// that can be linked, and the addon then loads libpcap at run time. binding.gyp runs it when a build is configured.
//
// The archive is the compiler's own (on Debian of libpcap0.8-dev), or what LIBPCAP_ARCHIVE names; `none` is for a build
// without. Debian compiles it for programs and not for shared objects. In what is linked of it, that makes a difference
// for three symbols: code of a program reaches stdin, stdout and stderr directly, which code of a shared object can't.
// So a copy is made in which these have other names, and core/bpf/no_capture.cc has variables of these names.
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const ENTRIES = ['pcap_open_dead', 'pcap_compile', 'pcap_geterr', 'pcap_freecode', 'pcap_close', 'bpf_filter']

/** Runs a tool, whose name may bring arguments along (`ccache g++`). */
function tool(command, ...args) {
  const [program, ...first] = command.split(' ')
  const { status, stdout } = spawnSync(program, [...first, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return status === 0 ? stdout.trim() : undefined
}

/** Of the compiler that builds the addon. A compiler that finds none gives back the bare name. */
export function findArchive({ CXX = 'g++', LIBPCAP_ARCHIVE: given } = process.env) {
  if (given === 'none') return undefined
  const found = given || tool(CXX, '-print-file-name=libpcap.a')
  return found?.includes('/') && existsSync(found) ? resolve(found) : undefined
}

/** Makes the copy in `folder`. Undefined if a shared object can't be linked with it: the library is another one. */
function prepare(archive, folder, CXX = 'g++') {
  mkdirSync(folder, { recursive: true })
  const made = join(folder, 'libpcap.a')
  const objcopy = tool(CXX, '-print-prog-name=objcopy') ?? 'objcopy'
  copyFileSync(archive, made)
  const renamed = ['stdin', 'stdout', 'stderr'].map(name => `--redefine-sym=${name}=rxvhost_pcap_${name}`)
  if (tool(objcopy, ...renamed, made) === undefined) return undefined
  const flags = ['-std=c++20', '-shared', '-fPIC', '-fvisibility=hidden', '-DRXVHOST_STATIC_LIBPCAP']
  const links = ['-Wl,--exclude-libs,libpcap.a', '-Wl,-z,defs', '-Wl,-z,text']
  const taken = ENTRIES.map(name => `-Wl,-u,${name}`)
  const stubs = join(dirname(fileURLToPath(import.meta.url)), 'core', 'bpf', 'no_capture.cc')
  const linked = tool(CXX, ...flags, ...links, ...taken, stubs, made, '-o', join(folder, 'probe.so'))
  return linked === undefined ? undefined : made
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const archive = findArchive()
  console.log((archive && prepare(archive, resolve('build', 'libpcap'), process.env.CXX)) ?? '')
}
