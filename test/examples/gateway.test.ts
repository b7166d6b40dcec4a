// The gateway between a guest and a kernel that answers, in a network namespace of its own.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { filter, firstValueFrom } from 'rxjs'
import { GuestPort } from '../../src/guest/index.js'
import { ethernet, ipv4 } from '../../src/testing/index.js'
import { needing } from '../support/needs.js'
import { inside, tapInterface } from '../tap/support/namespace.js'
import { Child } from './child.js'

const there = needing(tapInterface)
const example = fileURLToPath(new URL('../../examples/gateway.js', import.meta.url))

const whoHas = (address: number[]): Buffer =>
  ethernet({
    etherType: 0x0806,
    payload: Uint8Array.of(
      0,
      1,
      8,
      0,
      6,
      4,
      0,
      1,
      2,
      0,
      0,
      0,
      0,
      1,
      10,
      0,
      0,
      1,
      0,
      0,
      0,
      0,
      0,
      0,
      ...address,
    ),
  })

there('the host answers the guest; what the filter leaves out does not reach it', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-gateway-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'vm.sock')
  const args = ['--tap', 'gw', '--address', '10.0.0.254/24', '--filter', 'arp', path]
  const child = spawn('unshare', inside([process.execPath, example, ...args]), {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<number | null>(resolve => child.once('close', resolve))
  const lines: string[] = []
  const listening = new Promise<void>(resolve =>
    createInterface(child.stdout).on('line', line => {
      lines.push(line)
      if (line.startsWith('listening')) resolve()
    }),
  )
  await listening
  const guest = new GuestPort(path)
  t.teardown(() => guest.close())
  await guest.connect()
  const reply = firstValueFrom(guest.frames.pipe(filter(frame => frame[13] === 6 && frame[21] === 2)))
  guest.send(ipv4({ payload: 'not for the host' }))
  guest.send(whoHas([10, 0, 0, 254]))
  t.deepEqual([...(await reply).subarray(28, 32)], [10, 0, 0, 254])
  guest.close()
  child.kill('SIGINT')
  t.is(await ended, 0)
  const summary = JSON.parse(lines.at(-2) ?? '{}')
  t.is(summary.toHost.packets, 1)
  t.deepEqual(summary.toHost.drops, {})
})

test('a wrong number of sockets is answered with the usage', async t => {
  const child = new Child('gateway', [])
  t.is(await child.ended(), 2)
  t.regex(child.lines[0], /^usage: gateway/)
})
