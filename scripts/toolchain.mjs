// Checks for the tools that a build of the addon needs: a C++20 compiler, make, and a Python for node-gyp.
import { spawnSync } from 'node:child_process'

const works = (command, ...args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0

const CXX = process.env.CXX ?? 'g++'
/** The Python versions that node-gyp's gyp supports. */
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

/**
 * Returns the missing tools in words ("make is", "g++ and make are") and their Debian packages; undefined if none is
 * missing.
 */
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

/**
 * Debian installs it with the compiler; elsewhere it is a separate package. A compiler that does not find it prints the
 * bare name.
 */
export function hasStaticLibstdcxx() {
  const [program, ...args] = CXX.split(' ')
  const { stdout } = spawnSync(program, [...args, '-print-file-name=libstdc++.a'], { encoding: 'utf8' })
  return stdout?.includes('/') ?? false
}
