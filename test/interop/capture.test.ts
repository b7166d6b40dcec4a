// Captures as Wireshark's own programs read them: tshark, capinfos, editcap, mergecap. None of them has a word to say, and
// they see what was captured; and what they write can be replayed.
import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { lastValueFrom, merge, toArray } from 'rxjs'
import { capture, PcapngWriter } from '../../src/capture/index.js'
import { replayOn } from '../../src/capture/replay.js'
import { plainPoolArrays } from '../../src/data/pool/arrays.js'
import { Pool } from '../../src/data/pool/pool.js'
import { Scheduler } from '../../src/data/turn/scheduler.js'
import { Turn } from '../../src/data/turn/turn.js'
import { detach } from '../../src/operators/index.js'
import { fakePlane, frames, numberOf, tcp, udp } from '../../src/testing/index.js'
import { captureMillion } from '../capture/million.js'
import { bench, upTo } from '../operators/bench.js'
import { needProgram } from './support/program.js'

/** What a program prints; it must end well, and complain of nothing. */
async function run(t: ExecutionContext, command: string, ...args: string[]): Promise<string[]> {
  needProgram(command, 'tshark')
  const { stdout, stderr } = await promisify(execFile)(command, args, { maxBuffer: 1 << 26 })
  // Whoever is root is told so by each of them.
  t.deepEqual(
    stderr.split('\n').filter(line => line && !/^Running as user "root"/.test(line)),
    [],
  )
  return stdout.trimEnd().split('\n')
}

function folder(t: ExecutionContext): string {
  const made = mkdtempSync(join(tmpdir(), 'rx-vhost-tshark-'))
  t.teardown(() => rmSync(made, { recursive: true, force: true }))
  return made
}

/** Two queues, both directions, a snaplen, a filter, times with nanoseconds. */
async function sample(path: string): Promise<void> {
  let now = 1_000_000
  const writer = new PcapngWriter(path, { now: () => now })
  const [a, b] = [bench(), bench()]
  const running = merge(
    a.queue.pipe(capture(writer, { name: 'vm-a' })),
    b.queue.pipe(
      capture(writer, { name: 'vm-b', snaplen: 50, direction: 'outbound', filter: p => p.uint8(23) === 17 }),
    ),
  ).subscribe()
  a.from.port.send(tcp({ flags: 'S', toPort: 443, payload: Buffer.alloc(99) }))
  a.plane.loop.drain()
  now += 0.125
  b.from.port.send(tcp(), udp({ toPort: 53, payload: Buffer.alloc(200) }))
  b.plane.loop.drain()
  running.unsubscribe()
  await writer.finished()
}

test('tshark sees the packets: interface, direction, time, both lengths, what is in them', async t => {
  const path = join(folder(t), 'sample.pcapng')
  await sample(path)
  const fields = ['frame.interface_name', 'frame.packet_flags_direction', 'frame.time_epoch', 'frame.cap_len']
  const more = ['frame.len', 'tcp.dstport', 'udp.dstport']
  const lines = await run(
    t,
    'tshark',
    '-r',
    path,
    '-T',
    'fields',
    ...[...fields, ...more].flatMap(f => ['-e', f]),
  )
  t.deepEqual(
    lines.map(line => line.split('\t')),
    [
      ['vm-a', '0x00000001', '1000.000000000', '153', '153', '443', ''],
      ['vm-b', '0x00000002', '1000.000125000', '50', '242', '', '53'],
    ],
  )
})

test('capinfos sees the interfaces and their statistics', async t => {
  const path = join(folder(t), 'sample.pcapng')
  await sample(path)
  const text = (await run(t, 'capinfos', path)).map(line => line.replace(/\s+/g, ' ').trim()).join('\n')
  for (const expected of [
    /^File type: Wireshark\/\.\.\. - pcapng$/m,
    /^File encapsulation: Ethernet$/m,
    /^File timestamp precision: nanoseconds/m,
    /^Number of packets: 2$/m,
    /^Capture application: rx-vhost$/m,
    /^Number of interfaces in file: 2$/m,
    /^Name = vm-a$/m,
    /^Name = vm-b$/m,
    /^Capture length = 50$/m,
  ])
    t.regex(text, expected)
})

test('a million frames: capinfos counts them, in order, and tshark reads them all', async t => {
  const path = join(folder(t), 'million.pcapng')
  const pool = new Pool(plainPoolArrays(8 << 20), { strict: false })
  await captureMillion({ pool, scheduler: new Scheduler(), turn: new Turn() }, path)
  const [, ...values] = await run(t, 'capinfos', '-T', '-M', '-c', '-o', path)
  t.deepEqual(values[0]?.split('\t').slice(1), ['1000000', 'True'])
  const last = await run(
    t,
    'tshark',
    '-r',
    path,
    '-Y',
    'frame.number == 1000000',
    '-T',
    'fields',
    '-e',
    'frame.len',
  )
  t.deepEqual(last, [String(60 + (999_999 % 90))])
})

test('the files of a rotation are whole, one by one, and mergecap puts them together', async t => {
  const where = folder(t)
  const writer = new PcapngWriter(join(where, 'r.pcapng'), { rotate: { bytes: 4000 }, ring: 3 })
  const { queue, run: send } = bench()
  const running = queue.pipe(capture(writer)).subscribe()
  send(200)
  running.unsubscribe()
  await writer.finished()
  const files = readdirSync(where).map(name => join(where, name))
  t.is(files.length, 3)
  for (const file of files) await run(t, 'capinfos', file)
  const merged = join(where, 'all.pcapng')
  await run(t, 'mergecap', '-w', merged, ...files)
  const numbers = (
    await lastValueFrom(replayOn(realPlane, merged, { speed: Infinity }).pipe(detach(), toArray()))
  )
    .flatMap(burst => [...burst])
    .map(numberOf)
  t.deepEqual(numbers, upTo(numbers.length, 200 - numbers.length))
  t.true(numbers.length > 80)
})

test('a capture in several sections, and one whose disk was full, are read without a complaint', async t => {
  const where = folder(t)
  const path = join(where, 's.pcapng')
  const writer = new PcapngWriter(path)
  const { queue, run: send } = bench()
  const captured = queue.pipe(capture(writer))
  for (let i = 0; i < 2; i++) {
    const running = captured.subscribe()
    send(5)
    running.unsubscribe()
    await writer.finished()
  }
  t.is((await run(t, 'tshark', '-r', path)).length, 10)
  // A limit of 300,000 bytes a file stands for the disk.
  const full = join(where, 'full.pcapng')
  const child = join(import.meta.dirname, '../capture/full-child.js')
  const { stdout } = await promisify(execFile)('prlimit', ['--fsize=300000', process.execPath, child, full])
  const { passed, captured: kept, reason } = JSON.parse(stdout)
  t.deepEqual([passed, reason], [10_000, 'EFBIG'])
  t.is((await run(t, 'tshark', '-r', full)).length, kept)
  await run(t, 'capinfos', full)
})

test('tshark reads a stream while it is captured', async t => {
  needProgram('tshark', 'tshark')
  const tshark = spawn('tshark', ['-l', '-i', '-', '-T', 'fields', '-e', 'frame.len'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  t.teardown(() => tshark.kill())
  const writer = new PcapngWriter(tshark.stdin)
  const { queue, run: send } = bench()
  const running = queue.pipe(capture(writer)).subscribe()
  send(3)
  let seen = ''
  for await (const text of tshark.stdout) {
    seen += text
    if (seen.split('\n').length <= 3) continue
    running.unsubscribe() // ends the stream, and so tshark
  }
  t.is(seen, '64\n64\n64\n')
})

test('what editcap wrote, from a classic capture with microseconds, is replayed', async t => {
  const where = folder(t)
  const [classic, path] = [join(where, 'x.pcap'), join(where, 'x.pcapng')]
  const head = Buffer.from('d4c3b2a1020004000000000000000000ffff000001000000', 'hex')
  const records = frames(5).map(bytes => {
    const record = Buffer.alloc(16)
    record.writeUInt32LE(64, 8)
    record.writeUInt32LE(64, 12)
    return Buffer.concat([record, bytes])
  })
  writeFileSync(classic, Buffer.concat([head, ...records]))
  await run(t, 'editcap', '-F', 'pcapng', classic, path)
  const copies = await lastValueFrom(replayOn(realPlane, path).pipe(detach(), toArray()))
  t.deepEqual(
    copies.flatMap(burst => [...burst]).map(packet => packet.toBuffer()),
    frames(5),
  )
})

const realPlane = () => ({ ...fakePlane(), timers: undefined, scheduler: new Scheduler(), turn: new Turn() })
