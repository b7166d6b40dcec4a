// What a build of the addon needs of the machine: a compiler of C++20, make, and a Python that node-gyp runs on.
import { spawnSync } from 'node:child_process'

const works = (command, ...args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0

const CXX = process.env.CXX ?? 'g++'
/** As node-gyp's own gyp has it. */
const PYTHON = '3.9'

const TOOLS = [
  {
    name: 'g++ 10 or later',
    debian: 'build-essential',
    isThere: () => works(...CXX.split(' '), '-std=c++20', '-fsyntax-only', '-x', 'c++', '/dev/null'),
  },
  { name: 'make', debian: 'build-essential', isThere: () => works('make', '--version') },
  {
    name: `Python ${PYTHON} or later`,
    debian: 'python3',
    isThere: () =>
      works('python3', '-c', `import json, sys; sys.exit(sys.version_info < (${PYTHON.replace('.', ', ')}))`),
  },
]

/** What is not there, in words ("make is", "g++ and make are"), and the packages of Debian that have it; undefined if nothing is missing. */
export function missingTools() {
  const missing = TOOLS.filter(({ isThere }) => !isThere())
  if (missing.length === 0) return undefined
  const names = missing.map(({ name }) => name)
  const last = names.pop()
  return {
    names: names.length > 0 ? `${names.join(', ')} and ${last} are` : `${last} is`,
    remedy: `apt-get install ${[...new Set(missing.map(({ debian }) => debian))].join(' ')}`,
  }
}

/** Debian's compiler brings it along; elsewhere it is a package of its own. A compiler that finds none gives the bare name. */
export function hasStaticLibstdcxx() {
  const [program, ...args] = CXX.split(' ')
  const { stdout } = spawnSync(program, [...args, '-print-file-name=libstdc++.a'], { encoding: 'utf8' })
  return stdout?.includes('/') ?? false
}
