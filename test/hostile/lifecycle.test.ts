// L1: front ends that die in the middle of anything: real processes killed under traffic, and connections cut after any
// number of the bytes that bring a device up.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { native } from '../../src/native.js'
import { hostile } from './support/cases.js'
import { turns, until } from './support/conditions.js'
import type { HostileFrontEnd } from './support/front-end.js'

const victim = fileURLToPath(new URL('./support/victim.js', import.meta.url))

for (const stage of ['connecting', 'connected', 'sending', 'receiving'])
  hostile(
    'L1',
    `kill -9 of a front end while ${stage}`,
    async scene => {
      const { t } = scene
      await scene.stage.idle()
      const child = fork(victim, [scene.stage.path, stage], { execArgv: [] })
      const gone = once(child, 'exit')
      try {
        await Promise.race([
          once(child, 'message'),
          gone.then(([code, signal]) => {
            throw new Error(`the front end ended by itself: ${code ?? signal}`)
          }),
        ])
        await until('its connection', () => scene.stage.connected === 1)
        if (stage === 'sending') await until('its frames', () => scene.stage.delivered.length > 500)
      } finally {
        child.kill('SIGKILL')
        await gone
      }
      await until('the end of the connection', () => scene.events('closed').length > 0)
      t.deepEqual(scene.faults, [])
      t.is(scene.stage.connected, 0)
    },
    { repeats: 3 },
  )

/** The orderly way to a running device, cut after `bytes` bytes. */
class Cut {
  left: number

  constructor(bytes: number) {
    this.left = bytes
  }

  apply(front: HostileFrontEnd): void {
    const { socket } = front
    front.raw = (bytes, fds = []) => {
      const length = Math.min(this.left, bytes.length)
      this.left -= length
      if (length > 0) native().socketSend(socket, bytes.slice(0, length), 0, length, Uint32Array.from(fds))
    }
  }
}

const noise = { state: 0x2545f491 }
const random = (below: number): number => {
  noise.state = (Math.imul(noise.state, 1664525) + 1013904223) >>> 0
  return noise.state % below
}

hostile('L1', 'a connection that breaks off anywhere on the way to a running device', async scene => {
  const front = await scene.connect()
  const cut = new Cut(random(520))
  cut.apply(front)
  front.negotiate()
  front.shareMemory()
  for (const { index } of front.rings) front.setUp(index)
  for (const ring of front.rings) ring.kick()
  // At a moment that is another one each time: before, while and after the messages are served.
  await turns(random(4))
  front.hangUp()
  await until('the end of the connection', () => scene.events('closed').length > 0)
  scene.t.is(scene.events('closed').length, 1)
  scene.t.true(['hang_up', 'msg_eof'].includes(scene.events('closed')[0].reason))
})
