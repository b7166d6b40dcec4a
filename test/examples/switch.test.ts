// The learning switch: who gets what, that no guest costs another one its traffic, and the conventions of back-end
// programs (vhost-user "Backend program conventions").
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { learningSwitch, makePort } from '../../examples/switch.js'
import { GuestPort } from '../../src/guest/index.js'
import { ForwardingTable } from '../../src/operators/index.js'
import { until } from '../hostile/support/conditions.js'
import { HostileFrontEnd } from '../hostile/support/front-end.js'
import { REQUEST } from '../hostile/support/wire.js'
import { Child } from './child.js'

const folder = mkdtempSync(join(tmpdir(), 'rx-vhost-switch-'))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))
/** The protocol features RARP and REPLY_ACK. */
const RARP_AND_ACK = (1n << 2n) | (1n << 3n)
const MAC = (n: number): string => `02:00:00:00:01:0${n}`

async function joined(name: string, options: object[]) {
  const ports = options.map((_, n) => makePort(join(folder, `${name}${n}.sock`)))
  const running = learningSwitch(ports).subscribe()
  const guests = ports.map(({ driver }, n) => new GuestPort(driver.path, { mac: MAC(n), ...options[n] }))
  await Promise.all(guests.map(guest => guest.connect()))
  for (const guest of guests) guest.check()
  return {
    ports,
    guests,
    close(): void {
      for (const guest of guests) guest.close()
      running.unsubscribe()
    },
  }
}

test.serial('a guest that posts no buffers costs its own traffic only', async t => {
  const { ports, guests, close } = await joined('full', [{}, {}, { autoPost: false }])
  const [a, b] = guests
  // A window at a time, so that nobody but the third guest has a reason to lose anything.
  for (let sent = 100; sent <= 2000; sent += 100) {
    await a.generate({ frames: 100 })
    await b.whenReceived(sent)
  }
  t.is(b.report.lost + b.report.reordered + b.report.corrupted, 0)
  t.deepEqual(ports[1].sink.stats.drops, {})
  const { packets, held, drops } = ports[2].sink.stats
  t.deepEqual({ packets, held, drops }, { packets: 0, held: 256, drops: { overflow: 2000 - 256 } })
  close()
})

test.serial(
  'a frame to a known address goes to its port alone, one to an unknown address to all others',
  async t => {
    const { guests, close } = await joined('known', [{}, {}, {}])
    const [a, b, c] = guests
    await a.generate({ frames: 10, source: 1, destination: MAC(1) })
    await Promise.all([b.whenReceived(10), c.whenReceived(10)])
    await b.generate({ frames: 10, source: 2, destination: MAC(0) })
    await a.whenReceived(10)
    await a.generate({ frames: 10, source: 1, destination: MAC(1) })
    await b.whenReceived(20)
    t.deepEqual([a.report.received, b.report.received, c.report.received], [10, 20, 10])
    close()
  },
)

test.serial(
  'a guest that has migrated here is reachable without a frame from it, until its device leaves',
  async t => {
    const table = new ForwardingTable()
    const [a, b] = ['rarp-a', 'rarp-b'].map(name => makePort(join(folder, `${name}.sock`)))
    const running = learningSwitch([a, b], table).subscribe()
    const guest = new GuestPort(a.driver.path)
    await guest.connect()
    const front = await new HostileFrontEnd(b.driver.path).run(RARP_AND_ACK)
    t.is(await front.order(REQUEST.SEND_RARP, Uint8Array.of(2, 0, 0, 0, 1, 7, 0, 0)), 0)
    await until('the announcement at the other guest', () => a.sink.stats.packets === 1)
    t.is(table.lookup(MAC(7)), b.sink)
    front.dispose()
    await until('the address to be forgotten', () => table.lookup(MAC(7)) === undefined)
    guest.close()
    running.unsubscribe()
  },
)

test.serial('a port that can not listen is told and tried again, while the others work', async t => {
  const missing = join(folder, 'later')
  const child = new Child('switch', [join(folder, 'now.sock'), join(missing, 'b.sock')])
  await child.line(/now\.sock$/)
  t.regex(await child.line(/again in/), /its folder does not exist: create the folder; again in 1000 ms/)
  mkdirSync(missing)
  t.is(await child.line(/^listening .*b\.sock$/), `listening ${join(missing, 'b.sock')}`)
  child.process.kill('SIGTERM')
  t.is(await child.ended(), 0)
  t.deepEqual(JSON.parse(child.lines.at(-1) as string).ports.length, 2)
})

test.serial('--print-capabilities names the type and ends', async t => {
  const child = new Child('switch', ['--print-capabilities'])
  t.is(await child.ended(), 0)
  t.deepEqual(
    child.lines.map(line => JSON.parse(line)),
    [{ type: 'net' }],
  )
})

test.serial('--socket-path listens there; with --fd it is refused', async t => {
  const path = join(folder, 'option.sock')
  const child = new Child('switch', [`--socket-path=${path}`])
  t.is(await child.line(/^listening/), `listening ${path}`)
  child.process.kill('SIGTERM')
  t.is(await child.ended(), 0)
  const both = new Child('switch', [`--socket-path=${path}`, '--fd=3'])
  t.is(await both.ended(), 2)
})

test.serial('--fd serves the connection that it inherited, and ends with it', async t => {
  const path = join(folder, 'inherited.sock')
  const accepted = new Promise<Socket>(resolve => {
    const server = createServer({ pauseOnConnect: true }, socket => {
      server.close()
      resolve(socket)
    }).listen(path)
  })
  const guest = new GuestPort(path)
  const connecting = guest.connect()
  const socket = await accepted
  const child = new Child('switch', ['--fd=3'], { stdio: ['ignore', 'pipe', 'pipe', socket] })
  await connecting
  t.is(guest.state, 'running')
  socket.destroy()
  guest.close()
  t.is(await child.ended(), 0)
})
