// Runs the program twice: directly, to measure times, and under callgrind, to count instructions. Does not compare or
// print the results.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A measured job of the program: operation, frame size in bytes, packets per burst, and side. */
export interface Figure {
  /** `dequeue`, `enqueue`, `dequeue-free` or `dequeue-empty`. */
  job: string
  size: number
  burst: number
  side: 'ours' | 'theirs'
  /** Per packet; for `dequeue-empty`, per call. */
  instructions: number
  nanoseconds: number
  /** Number of packets or calls that were measured. */
  units: number
  /** Path of callgrind's output file. */
  profile: string
}

/** Functions of native/bench in which callgrind counts instructions. */
const MEASURED = ['ours_dequeue', 'ours_enqueue', 'theirs_dequeue', 'theirs_dequeue_free', 'theirs_enqueue']

interface Line {
  title: string
  units: number
  nanoseconds: number
}

function run(command: string[], packets: number): Line[] {
  const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-micro-'))
  try {
    const [name, ...args] = [...command, folder, String(packets)]
    const { status, signal, stdout, stderr } = spawnSync(name, args, {
      encoding: 'utf8',
      // Folder for the files of EAL.
      env: { ...process.env, XDG_RUNTIME_DIR: folder },
      timeout: 170_000,
      maxBuffer: 1 << 24,
    })
    if (status !== 0)
      throw new Error(`${command.join(' ')} ended with ${signal ?? status}\n${stdout}${stderr}`)
    return stdout
      .split('\n')
      .filter(line => line.startsWith('{'))
      .map(line => JSON.parse(line))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Returns the instructions of each dump in the folder, by job title. */
function dumps(folder: string): Map<string, { instructions: number; profile: string }> {
  const found = new Map<string, { instructions: number; profile: string }>()
  for (const name of readdirSync(folder)) {
    const profile = join(folder, name)
    const text = readFileSync(profile, 'utf8')
    const title = text.match(/^desc: Trigger: Client Request: (\S+)$/m)?.[1]
    const summary = text.match(/^summary: (\d+)$/m)?.[1]
    if (title && summary) found.set(title, { instructions: Number(summary), profile })
  }
  return found
}

/** Runs the measurement. `folder`: folder for callgrind's output; existing files are removed. */
export function measure(program: string, packets: number, folder: string): Figure[] {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const times = new Map(run([program], packets).map(line => [line.title, line]))
  const lines = run(
    [
      ...['valgrind', '--quiet', '--tool=callgrind', '--collect-atstart=no'],
      ...MEASURED.map(name => `--toggle-collect=measured_${name}`),
      ...['--compress-strings=no', '--compress-pos=no', `--callgrind-out-file=${join(folder, 'callgrind')}`],
      program,
    ],
    packets,
  )
  const counted = dumps(folder)
  return lines.map(({ title, units }) => {
    const [, job, size, burst, side] = title.match(/^(.+)-(\d+)-(\d+)-(ours|theirs)$/)!
    const dump = counted.get(title)
    const time = times.get(title)
    if (!dump || !time) throw new Error(`the run has no result for ${title}`)
    return {
      job,
      size: Number(size),
      burst: Number(burst),
      side: side as Figure['side'],
      instructions: dump.instructions / units,
      nanoseconds: time.nanoseconds,
      units,
      profile: dump.profile,
    }
  })
}
