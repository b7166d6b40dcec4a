// Runs the program twice: as it is, for times, and under callgrind, for instructions. No judgement and no printing here.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A job as the program names it: what is done, bytes of a frame, packets of a burst, who does it. */
export interface Figure {
  /** `dequeue`, `enqueue`, `dequeue-free` or `dequeue-empty`. */
  job: string
  size: number
  burst: number
  side: 'ours' | 'theirs'
  /** Per packet; per call of `dequeue-empty`. */
  instructions: number
  nanoseconds: number
  /** How many packets or calls were counted. */
  units: number
  /** What callgrind wrote. */
  profile: string
}

/** The functions of native/bench that callgrind counts in. */
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
      // The EAL keeps its files there.
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

/** Instructions of each dump in the folder, by the title of its job. */
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

/** `folder` is emptied, and keeps what callgrind writes. */
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
    if (!dump || !time) throw new Error(`nothing was counted for ${title}`)
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
