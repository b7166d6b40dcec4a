// L1: front ends that die in the middle of anything: real processes killed under traffic, and connections cut after any
// number of the bytes that bring a device up.
import test from 'ava'
import { native } from '../../src/addon/native.js'
import { hostile, REPEATS, type Scene } from './support/cases.js'
import { turns, until } from './support/conditions.js'
import { frameOf } from './support/frames.js'
import type { HostileFrontEnd } from './support/front-end.js'
import { type Doing, Victims } from './support/victims.js'

const noise = { state: 0x2545f491 }
const random = (below: number): number => {
  noise.state = (Math.imul(noise.state, 1664525) + 1013904223) >>> 0
  return noise.state % below
}

let victims: Victims
test.before(() => {
  victims = new Victims()
})
test.after(() => victims.close())

/** Resolves at a moment that is another one each time. */
type Moment = (scene: Scene) => Promise<unknown>
const ready: Moment = ({ events }) => until('its device', () => events('ready').length > 0)

const kills: [string, Doing, Moment][] = [
  // About as many turns as the handshake takes.
  ['connecting', 'nothing', () => turns(random(16))],
  ['connected', 'nothing', scene => ready(scene).then(() => turns(random(4)))],
  [
    'sending',
    'sending',
    ({ stage }) => {
      const frames = random(500)
      return until('its frames', () => stage.delivered.length > frames)
    },
  ],
  [
    'receiving',
    'receiving',
    async scene => {
      await ready(scene)
      for (let i = random(32); i >= 0; i--) scene.stage.feed(frameOf(i))
      await turns(random(4))
    },
  ],
]

for (const [what, doing, moment] of kills)
  hostile(
    'L1',
    `kill -9 of a front end while ${what}`,
    async scene => {
      const { t, stage } = scene
      await stage.idle()
      const pid = await victims.next(doing, stage.path)
      try {
        await until('its connection', () => stage.connected === 1)
        await moment(scene)
      } finally {
        process.kill(pid, 'SIGKILL')
      }
      await until('the end of the connection', () => scene.events('closed').length > 0)
      t.deepEqual(scene.faults, [])
      t.is(stage.connected, 0)
    },
    { repeats: Math.ceil(REPEATS / kills.length) },
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

hostile(
  'L1',
  'a connection that breaks off anywhere on the way to a running device',
  async scene => {
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
  },
  { repeats: REPEATS },
)
