// The gateway between a guest and a kernel that answers, in a network namespace of its own.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { filter, firstValueFrom } from 'rxjs'
import { GuestPort } from '../../src/guest/index.js'
import { ethernet, ipv4 } from '../../src/testing/index.js'
import { needing } from '../support/needs.js'
import { inside, tapInterface } from '../tap/support/namespace.js'
import { Child } from './child.js'

const there = needing(tapInterface)

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
  const child = new Child('gateway', args, { around: command => ['unshare', ...inside(command)] })
  await child.line(/^listening/)
  const guest = new GuestPort(path)
  t.teardown(() => guest.close())
  await guest.connect()
  const reply = firstValueFrom(guest.frames.pipe(filter(frame => frame[13] === 6 && frame[21] === 2)))
  guest.send(ipv4({ payload: 'not for the host' }))
  guest.send(whoHas([10, 0, 0, 254]))
  t.deepEqual([...(await child.during(reply)).subarray(28, 32)], [10, 0, 0, 254])
  guest.close()
  child.process.kill('SIGINT')
  t.is(await child.ended(), 0)
  const summary = JSON.parse(child.lines.find(line => line.startsWith('{')) ?? '{}')
  t.is(summary.toHost.packets, 1)
  t.deepEqual(summary.toHost.drops, {})
})

test('a wrong number of sockets is answered with the usage', async t => {
  const child = new Child('gateway', [])
  t.is(await child.ended(), 2)
  t.regex(child.lines[0], /^usage: gateway/)
})

test('a line that an example ends without is an error with what it printed', async t => {
  const child = new Child('gateway', [])
  await t.throwsAsync(child.line(/^listening/), { message: /gateway ended without .*\nusage: gateway/ })
  await t.throwsAsync(child.line(/^listening/), { message: /usage: gateway/ })
  await t.throwsAsync(child.during(new Promise(() => {})), { message: /usage: gateway/ })
})
