// A process of its own in which fds are lost on the way in: `lost-fds.js exhausted`, with no room in its table of fds, or
// `lost-fds.js truncated`, with narrow.c preloaded and RX_VHOST_ROOM=1. For each message a line `lost` with what was told;
// then `done`.
import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readdirSync } from 'node:fs'
import { GuestPort } from 'rx-vhost/guest'
import { native } from '../../../src/addon/native.js'
import { until } from './conditions.js'
import { Sibling, Stage } from './stage.js'
import { memoryTable, REQUEST, u64 } from './wire.js'

const exhausted = process.argv[2] === 'exhausted'
const openFds = (): number => readdirSync('/proc/self/fd').length
const stage = await new Stage().open()
const sibling = await new Sibling().open()
const told: unknown[] = []
stage.driver.events.subscribe(event => {
  if (event.type === 'resource-pressure') told.push(event.reason)
})

/** Fills the table of fds up to `left`; a function that makes room again. */
function fill(left: number): () => void {
  const limit = openFds() + 64
  spawnSync('prlimit', ['--pid', `${process.pid}`, `--nofile=${limit}:`])
  const files: number[] = []
  try {
    for (;;) files.push(openSync('/dev/null', 'r'))
  } catch {}
  for (const file of files.splice(0, left)) closeSync(file)
  return () => {
    for (const file of files) closeSync(file)
  }
}

/** Has a front end send a message with `fds` of its fds, of which `left` find room. */
async function lose(request: number, payload: Uint8Array | undefined, fds: number, left: number) {
  await stage.idle()
  const before = { fds: openFds(), tokens: native().fdCount() }
  const front = await (await stage.connect()).run()
  stage.events.length = told.length = 0
  const moving = sibling.move(500)
  const room = exhausted ? fill(left) : () => {}
  const { memory } = front
  const regions = Array.from({ length: fds }, (_, n) => memory.region(n * 4096, 4096))
  // What an fd of its own goes with, if that is no table.
  const token = payload ? front.rings[0].kickFd : memory.token
  front.send(request, payload ?? memoryTable(regions), Array(fds).fill(token))
  await front.closed()
  await until('its end', () => stage.connected === 0)
  room()
  await moving
  front.dispose()
  const closed = stage.events.flatMap(event => (event.type === 'closed' ? event.reason : []))
  const refused = stage.events.filter(({ type }) => type === 'refused' || type === 'fault').length
  // What was memory is closed by the thread that unmaps it.
  await until('what was received to be closed', () => openFds() <= before.fds).catch(() => {})
  const leaked = { fds: openFds() - before.fds, tokens: native().fdCount() - before.tokens }
  console.log(`lost ${JSON.stringify({ closed, refused, pressure: told, leaked })}`)
}

if (exhausted) {
  for (const left of [0, 1, 2]) await lose(REQUEST.SET_MEM_TABLE, undefined, 3, left)
  // Bit 8 says that there is no fd. Whoever overlooks that one was lost would believe it.
  for (const value of [0n, 0x100n])
    for (const request of [REQUEST.SET_VRING_KICK, REQUEST.SET_VRING_CALL])
      await lose(request, u64(value), 1, 0)
} else {
  for (const fds of [2, 3, 8]) await lose(REQUEST.SET_MEM_TABLE, undefined, fds, 1)
  await lose(REQUEST.SET_VRING_KICK, u64(0n), 2, 1)
}
const guest = new GuestPort(stage.path)
await guest.connect()
guest.close()
sibling.close()
stage.close()
console.log('done')
