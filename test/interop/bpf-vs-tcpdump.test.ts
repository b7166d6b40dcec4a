// Filter expressions beside tcpdump's: the same frames of the same capture, for each expression that there is in
// support/expressions.ts.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { Burst } from 'rx-vhost'
import { bpf } from 'rx-vhost/bpf'
import { filterPackets } from 'rx-vhost/operators'
import { fakeFromGuest, fakePlane } from 'rx-vhost/testing'
import { expressions } from './support/expressions.js'
import { readPcap, readStamps, writePcap } from './support/pcap.js'
import { needProgram, root } from './support/program.js'
import { variedFrames } from './support/varied-frames.js'

const frames = [...readPcap(join(root, 'test/interop/support/captured.pcap')), ...variedFrames(3000)]
const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-tcpdump-'))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))
const file = join(folder, 'frames.pcap')
writePcap(file, frames)

/** The numbers of the frames that match, or what is said against the expression. */
function tcpdump(expression: string): number[] | string {
  const args = ['-n', '-r', file, '-w', '-', expression]
  const { status, stdout, stderr } = spawnSync(needProgram('tcpdump', 'tcpdump'), args, {
    maxBuffer: 1 << 28,
  })
  return status === 0 ? readStamps(stdout) : stderr.toString()
}

const ours = (expression: string): number[] => {
  const { matches } = bpf(expression)
  return frames.flatMap((frame, i) => (matches(frame) ? [i] : []))
}

test('each expression matches the frames that it matches for tcpdump', t => {
  let [some, compared] = [0, 0]
  for (const expression of expressions) {
    const theirs = tcpdump(expression)
    if (typeof theirs === 'string') t.fail(`tcpdump refuses "${expression}": ${theirs}`)
    t.deepEqual(ours(expression), theirs, expression)
    compared += frames.length
    if (theirs.length > 0 && theirs.length < frames.length) some++
  }
  t.log(
    `${expressions.length} expressions, ${frames.length} frames, ${compared} verdicts; ${some} match some frames and not all`,
  )
  t.true(expressions.length >= 200)
  t.true(some >= 200, 'expressions that match nothing say little')
})

test('a burst is judged as its frames are one by one', t => {
  for (const expression of expressions.filter((_, i) => i % 8 === 0)) {
    const plane = fakePlane({ bytes: 16 << 20 })
    const { queue, port } = fakeFromGuest(plane, { highWaterMark: 8192, size: 8192 })
    const seen: Buffer[] = []
    const stop = queue
      .pipe(filterPackets(bpf(expression)))
      .subscribe((burst: Burst) => seen.push(...[...burst].map(packet => packet.toBuffer())))
    port.send(...frames)
    plane.loop.drain()
    stop.unsubscribe()
    const { matches } = bpf(expression)
    t.deepEqual(
      seen,
      frames.filter(frame => matches(frame)).map(frame => Buffer.from(frame)),
      expression,
    )
  }
})

test("the system's libpcap, which RX_VHOST_LIBPCAP names, matches the same frames", t => {
  const script = `
    import { bpf } from '${import.meta.resolve('rx-vhost/bpf')}'
    import { expressions } from '${new URL('support/expressions.js', import.meta.url)}'
    import { readFileSync } from 'node:fs'
    import { readPcap } from '${new URL('support/pcap.js', import.meta.url)}'
    const frames = [...readPcap(${JSON.stringify(file)})]
    const matching = expression => {
      const { matches } = bpf(expression)
      return frames.flatMap((frame, i) => (matches(frame) ? [i] : []))
    }
    const verdicts = expressions.map(matching)
    console.log(JSON.stringify({ verdicts, isShared: /libpcap\\.so/.test(readFileSync('/proc/self/maps', 'utf8')) }))`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...process.env, RX_VHOST_LIBPCAP: 'libpcap.so.0.8' },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  const { verdicts, isShared } = stdout ? JSON.parse(stdout) : t.fail(stderr)
  t.true(isShared)
  t.deepEqual(verdicts, expressions.map(ours))
})

test('what tcpdump refuses, with the same words', t => {
  for (const expression of ['tcp prot 443', 'net 10.0.0.1/8', 'ip and and tcp', 'port 99999', '(tcp']) {
    const theirs = tcpdump(expression)
    t.is(typeof theirs, 'string', expression)
    const error = t.throws(() => bpf(expression), { code: 'ERR_VHOST_FILTER_INVALID' })
    const words = String(theirs).trim().split('\n').at(-1)?.replace('tcpdump: ', '') ?? ''
    t.true(error?.message.includes(words), `${expression}: ${error?.message}, not ${words}`)
  }
  for (const expression of ['inbound', 'outbound and tcp', 'ifname eth0']) {
    t.is(typeof tcpdump(expression), 'string', expression)
    t.throws(() => bpf(expression), { code: 'ERR_VHOST_FILTER_INVALID' }, expression)
  }
})
