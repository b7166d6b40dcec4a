// examples/gateway: a Linux guest in QEMU and an HTTP server behind a TAP interface, in a network namespace that goes with
// the gateway. Frames longer than the MTU cross both ways: segmentation is left to whoever gets them.
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { needing } from '../support/needs.js'
import { inside, tapInterface } from '../tap/support/namespace.js'
import { guestImage } from './support/guest-image.js'
import { Program, root } from './support/program.js'
import { Guest, qemuBuilds } from './support/qemu.js'
import { timed } from './support/scenarios.js'

const MiB = 1 << 20
/** Ethernet's header and the usual MTU: a frame is no longer on a wire. */
const WIRE = 14 + 1500
const there = needing(tapInterface)

/** Gives a file of 64 MiB, and answers an upload with its hash. Prints the hash of the file. */
const server = `
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
const file = Buffer.alloc(${64 * MiB})
for (let i = 0, word = 1; i < file.length; i += 4) file.writeUInt32LE((word = Math.imul(word, 1664525) + 1013904223 >>> 0), i)
createServer((request, response) => {
  if (request.method === 'GET') return response.end(file)
  const hash = createHash('sha256')
  request.on('data', data => hash.update(data)).on('end', () => response.end(hash.digest('hex')))
}).listen(8080, '10.0.0.254', () => console.log('serving ' + createHash('sha256').update(file).digest('hex')))`

interface Summary {
  fromHost: { packets: number; bytes: number; drops: Record<string, number> }
  toHost: Summary['fromHost']
  toGuest: Summary['fromHost']
}

for (const qemu of qemuBuilds())
  there(
    `QEMU ${qemu.version}: a guest fetches 64 MiB from a server on the host, and sends it 16`,
    async t => {
      const image = guestImage()
      const folder = mkdtempSync(join(tmpdir(), 'rxvhost-gateway-'))
      const path = join(folder, 'vm.sock')
      const example = join(root, 'dist/examples/gateway.js')
      const args = [process.execPath, example, '--tap', 'gateway0', '--address', '10.0.0.254/24', path]
      const gateway = new Program('unshare', inside(args), { name: 'gateway' })
      let http: Program | undefined
      let guest: Guest | undefined
      try {
        await gateway.line(/^listening /)
        const where = ['--target', String(gateway.pid), '--user', '--net', '--preserve-credentials']
        http = new Program('nsenter', [...where, process.execPath, '--input-type=module', '-e', server], {
          name: 'http',
        })
        const [, hash] = await http.line(/^serving (\w+)/)
        guest = await timed(t, 'the guest boots', () => Guest.start({ qemu, image, path, folder, number: 1 }))
        const { shell } = guest
        await shell.must('ping -c 1 -W 10 10.0.0.254')
        const got = await timed(t, '64 MiB to the guest', () =>
          shell.must('wget -q -O - http://10.0.0.254:8080/file | sha256sum', 300_000),
        )
        t.is(got.split(' ')[0], hash)
        await shell.must('head -c 12582912 /dev/urandom | base64 >/tmp/upload', 60_000)
        const sent = await shell.must('sha256sum </tmp/upload')
        const seen = await timed(t, '16 MiB to the host', () =>
          shell.must('wget -q -O - --post-file /tmp/upload http://10.0.0.254:8080/upload', 300_000),
        )
        t.is(seen, sent.split(' ')[0])
        t.not(seen, createHash('sha256').digest('hex'))
      } finally {
        await guest?.stop()
        await http?.stop('SIGTERM')
        const { code } = await gateway.stop('SIGINT')
        rmSync(folder, { recursive: true, force: true })
        t.is(code, 0, gateway.tail())
      }
      const summary: Summary = JSON.parse(gateway.lines.findLast(line => line.startsWith('{')) ?? '{}')
      t.log(JSON.stringify(summary))
      for (const direction of ['fromHost', 'toHost'] as const) {
        const { packets, bytes, drops } = summary[direction]
        t.deepEqual(drops, {})
        t.true(bytes / packets > WIRE, 'frames longer than any on a wire crossed: the mean is longer')
      }
    },
  )
