// Makes the libpcap archive that the addon is linked with, and prints its path. If no archive can be linked, prints
// nothing, and the addon loads libpcap at run time. binding.gyp runs this script when a build is configured.
//
// The archive is the one that the compiler finds (on Debian it is in libpcap0.8-dev) or the file that LIBPCAP_ARCHIVE
// names. LIBPCAP_ARCHIVE=none makes a build without an archive. Debian compiles the archive for programs and not for
// shared objects. In the parts that we link, the difference matters for three symbols: code for a program accesses
// stdin, stdout and stderr directly, and code in a shared object can't do this. So this script makes a copy of the
// archive in which these symbols have other names, and core/bpf/no_capture.cc defines variables with the new names.
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const ENTRIES = ['pcap_open_dead', 'pcap_compile', 'pcap_geterr', 'pcap_freecode', 'pcap_close', 'bpf_filter']

/** Runs a tool. `command` may contain arguments after the program's name (`ccache g++`). */
function tool(command, ...args) {
  const [program, ...first] = command.split(' ')
  const { status, stdout } = spawnSync(program, [...first, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return status === 0 ? stdout.trim() : undefined
}

/**
 * Returns the path of the archive that the compiler of the addon finds. A compiler that finds no archive prints the
 * bare file name.
 */
export function findArchive({ CXX = 'g++', LIBPCAP_ARCHIVE: given } = process.env) {
  if (given === 'none') return undefined
  const found = given || tool(CXX, '-print-file-name=libpcap.a')
  return found?.includes('/') && existsSync(found) ? resolve(found) : undefined
}

/** Makes the copy in `folder`. Returns undefined if a shared object can't be linked with this libpcap. */
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
