// `npm run bench:flame`: shows which functions take the time per packet. Runs one job of the throughput bench under
// perf and writes a flame graph (SVG) and a table by function to bench/results/.
//
//   npm run bench:flame [-- --job=forward --form=bursts --size=64 --ms=4000 --name=flame]
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { BURST_PACKETS } from '../../src/packet/burst.js'
import { MissingError } from '../support/c-program.js'
import { runMain } from '../support/main.js'
import { root } from '../support/program.js'
import { Rig } from '../support/rig.js'
import { type Column, markdownTable, saveResult, textTable } from '../support/tables.js'
import type { Form, Job } from '../throughput/jobs.js'
import { runSlice } from '../throughput/slice.js'
import { CodeMap } from './code-map.js'
import { flameGraph, type Stack } from './flame-graph.js'

const { values } = parseArgs({
  options: {
    job: { type: 'string', default: 'forward' },
    form: { type: 'string', default: 'bursts' },
    size: { type: 'string', default: '64' },
    ms: { type: 'string', default: '4000' },
    name: { type: 'string', default: 'flame' },
  },
})
const FREQUENCY = 4999
const WARM_MS = 1000

/** Owners of functions. The owner follows from the function's object file (as perf prints it) or from its name. */
const owners = [
  { owner: 'our addon', color: '#7fb3e6', is: /\[rx_vhost\.node\]$|^rxvhost::/ },
  { owner: 'our JavaScript', color: '#8fd18f', is: /^JS:.*(dist\/(src|bench)|rxjs)/ },
  { owner: 'Node and V8', color: '#e8c66a', is: /\[node\]$|^JS:|^Builtins_|\[JIT\]$/ },
  { owner: 'libc', color: '#d9a3d9', is: /\[libc.*\]$|\[vdso\]$/ },
  { owner: 'the kernel', color: '#e58f8f', is: /./ },
] as const
const ownerOf = (name: string) => owners.find(({ is }) => is.test(name)) ?? owners[owners.length - 1]

/** Parses the output of `perf script`: per sample a line, its frames (innermost first), and an empty line. */
function stacksOf(script: string, code: CodeMap): Stack[] {
  const seen = new Map<string, number>()
  for (const sample of script.split('\n\n')) {
    const frames = sample
      .split('\n')
      .slice(1)
      .map(line => /^\s*([0-9a-f]+) (.*) \((.*)\)$/.exec(line))
      .filter(match => match !== null)
      .map(([, at, name, object]) => nameOf(isJit(object) ? code.nameAt(at) : name, object))
      .reverse()
    if (frames.length > 0) seen.set(frames.join('\n'), (seen.get(frames.join('\n')) ?? 0) + 1)
  }
  return [...seen].map(([frames, samples]) => ({ frames: frames.split('\n'), samples }))
}

const isJit = (object: string): boolean => /perf-\d+\.map$/.test(object)

/** Returns a function's name without offset, position and address, and with its object file. */
function nameOf(name: string, object: string): string {
  const bare = name.replace(/\+0x[0-9a-f]+$/, '')
  const js = /^JS:[*^~]?(.*) (?:file:\/\/)?(\S+?)(?::\d+)*$/.exec(bare)
  if (js) return `JS:${js[1] || '(anonymous)'} ${js[2].replace(/^.*\/(?=(dist|node_modules)\/)/, '')}`
  const file = object.split('/').pop() ?? object
  return `${bare} [${isJit(file) ? 'JIT' : file}]`
}

interface Line {
  name: string
  samples: number
}

/** Sums samples by innermost function or by owner. */
function sums(stacks: readonly Stack[], key: (leaf: string) => string): Line[] {
  const lines = new Map<string, number>()
  for (const { frames, samples } of stacks) {
    const name = key(frames[frames.length - 1])
    lines.set(name, (lines.get(name) ?? 0) + samples)
  }
  return [...lines].map(([name, samples]) => ({ name, samples })).sort((a, b) => b.samples - a.samples)
}

async function profile(): Promise<{ stacks: Stack[]; nsPerPacket: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-flame-'))
  const data = join(folder, 'perf.data')
  const nodeFlags = ['--perf-basic-prof', '--interpreted-frames-native-stack']
  const ms = Number(values.ms)
  const rig = await Rig.start({ ring: 256, mergeable: true, ports: 3, poll: 'busy', nodeFlags })
  const code = new CodeMap(rig.back.ours.pid)
  try {
    const work = {
      job: values.job as Job,
      form: values.form as Form,
      size: Number(values.size),
      burst: BURST_PACKETS,
    }
    const slice = runSlice(rig, 'ours', work, { ms: ms + WARM_MS, warmMs: WARM_MS, checkAll: false })
    await new Promise(resolve => setTimeout(resolve, 2 * WARM_MS))
    // Give perf the same priority as the programs that occupy both cores. Otherwise it would start only after them.
    const record = ['record', '-e', 'cpu-clock', '-F', String(FREQUENCY), '-g', '-o', data]
    const target = ['-p', String(rig.back.ours.pid), '--', 'sleep', String((ms - WARM_MS) / 1000)]
    const perf = spawn('nice', ['-n', '-20', 'perf', ...record, ...target], { stdio: 'ignore' })
    const ended = await new Promise<number | null>(resolve => perf.once('close', resolve))
    const { ns, packets } = await slice
    if (ended !== 0) throw new Error(`perf record ended with ${ended}`)
    const { stdout } = spawnSync('perf', ['script', '-F', 'comm,pid,ip,sym,dso', '-i', data], {
      encoding: 'utf8',
      maxBuffer: 2 ** 30,
    })
    return { stacks: stacksOf(stdout, code), nsPerPacket: ns / packets }
  } finally {
    await rig.stop()
    code.remove()
    rmSync(folder, { recursive: true, force: true })
  }
}

runMain(async () => {
  if (spawnSync('perf', ['--version']).status !== 0)
    throw new MissingError('perf is missing: apt-get install linux-perf')
  const { stacks, nsPerPacket } = await profile()
  const total = stacks.reduce((sum, { samples }) => sum + samples, 0)
  if (total === 0) throw new Error('perf recorded no samples')
  const ns = (share: number): string =>
    `${(share * nsPerPacket).toFixed(1)} ns, ${(share * 100).toFixed(1)} %`
  const columns: Column<Line>[] = [
    { title: 'where', value: ({ name }) => name },
    { title: 'ns per packet', value: ({ samples }) => ((samples / total) * nsPerPacket).toFixed(1) },
    { title: '%', value: ({ samples }) => ((samples / total) * 100).toFixed(1) },
  ]
  const byOwner = sums(stacks, name => ownerOf(name).owner)
  const byFunction = sums(stacks, name => name).slice(0, 20)
  const title = `${values.job}, ${values.form}, ${values.size} bytes: ${nsPerPacket.toFixed(1)} ns per packet`
  console.log(`${title}\n\n${textTable(columns, byOwner)}\n\n${textTable(columns, byFunction)}`)
  const markdown = `${title}\n\n${markdownTable(columns, byOwner)}\n\n${markdownTable(columns, byFunction)}`
  const saved = saveResult(values.name, { title, nsPerPacket, byOwner, byFunction }, markdown)
  const svg = join(root, 'bench/results', `${values.name}.svg`)
  mkdirSync(join(root, 'bench/results'), { recursive: true })
  writeFileSync(svg, flameGraph(stacks, { title, color: name => ownerOf(name).color, unit: ns }))
  console.log(`saved: ${[...saved, svg].join(', ')}`)
})
