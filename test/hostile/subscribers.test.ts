// Group N: subscribers that throw and subscribers that leave, in the middle of a burst. The burst's accounting is
// finished all the same, other subscribers get everything, and nothing stays in the guest's ring for good.
import test from 'ava'
import { type Burst, type Packet, VhostDriver } from 'rx-vhost'
import { GuestPort } from 'rx-vhost/guest'
import { filterPackets, tapPackets } from 'rx-vhost/operators'
import { config, Subscription } from 'rxjs'
import { native } from '../../src/addon/native.js'
import { turns, until } from './support/conditions.js'
import { frameOf } from './support/frames.js'
import { newPath, Sibling } from './support/stage.js'

const FRAMES = 32

interface Plant {
  driver: VhostDriver
  guest: GuestPort
  /** Sends frames 0, 1, … in one go, so that they come in one burst. */
  send(): void
  sent: number
  end(): Promise<void>
}

async function plant(): Promise<Plant> {
  const driver = new VhostDriver(newPath())
  const open = new Subscription()
  open.add(driver.subscribe())
  const guest = new GuestPort(driver.path)
  await guest.connect()
  const it: Plant = {
    driver,
    guest,
    sent: 0,
    send() {
      guest.sendBurst(Array.from({ length: FRAMES }, () => frameOf(it.sent++)))
    },
    async end() {
      await until('all leases to be back', () => driver.fromGuest().stats.held === 0)
      guest.close()
      open.unsubscribe()
    },
  }
  return it
}

const numberOf = (packet: Packet): number => packet.uint32(14)
const numbers = (count: number, from = 0): number[] => Array.from({ length: count }, (_, n) => from + n)

/** What rxjs reports of subscribers that throw. */
const reported: unknown[] = []
test.before(() => {
  config.onUnhandledError = error => reported.push(error)
})

for (const at of [0, 7, FRAMES - 1])
  test.serial(
    `N1: a subscriber of packets that throws at packet ${at} of a burst loses nothing for itself or others`,
    async t => {
      const sibling = await new Sibling().open()
      const moving = sibling.move(500)
      const tokens = native().fdCount()
      const { driver, send, end } = await plant()
      reported.length = 0
      const [bad, good, bursts]: number[][] = [[], [], []]
      const queue = driver.fromGuest()
      const subscriptions = [
        queue.packets.subscribe(packet => {
          bad.push(numberOf(packet))
          if (bad.length === at + 1) throw new Error('a subscriber failed')
        }),
        queue.packets.subscribe(packet => good.push(numberOf(packet))),
        queue.subscribe(burst => {
          for (const packet of burst) bursts.push(numberOf(packet))
        }),
      ]
      send()
      send()
      await until('all frames', () => good.length === 2 * FRAMES)
      await turns(4)
      t.deepEqual(good, numbers(2 * FRAMES))
      t.deepEqual(bursts, numbers(2 * FRAMES))
      t.deepEqual(bad, numbers(2 * FRAMES), 'a next handler that throws stays subscribed')
      await until('the report', () => reported.length > 0)
      t.is(reported.length, 1)
      for (const subscription of subscriptions) subscription.unsubscribe()
      await end()
      await moving
      sibling.close()
      t.true(native().fdCount() <= tokens)
    },
  )

for (const at of [0, 7, FRAMES - 1])
  test.serial(
    `N1: an operator's callback that throws at packet ${at} ends its own subscription; the others get all`,
    async t => {
      const { driver, send, end } = await plant()
      const queue = driver.fromGuest()
      const [passed, good]: number[][] = [[], []]
      const errors: unknown[] = []
      let seen = 0
      queue
        .pipe(
          filterPackets(() => {
            if (seen++ === at) throw new Error('a predicate failed')
            return true
          }),
        )
        .subscribe({
          next: burst => {
            for (const packet of burst) passed.push(numberOf(packet))
          },
          error: error => errors.push(error),
        })
      const other = queue.packets.subscribe(packet => good.push(numberOf(packet)))
      send()
      send()
      await until('all frames', () => good.length === 2 * FRAMES)
      t.is(errors.length, 1)
      t.deepEqual(good, numbers(2 * FRAMES))
      t.true(passed.length <= at)
      other.unsubscribe()
      await end()
    },
  )

test.serial(
  'N1: alone, an operator that throws costs the packet it threw at; a new subscription gets the rest',
  async t => {
    const { driver, send, end } = await plant()
    const queue = driver.fromGuest()
    let errors = 0
    queue
      .pipe(
        tapPackets(packet => {
          if (numberOf(packet) === 7) throw new Error('a tap failed')
        }),
      )
      .subscribe({ error: () => errors++ })
    send()
    await until('the error', () => errors === 1)
    const rest: number[] = []
    const again = queue.packets.subscribe(packet => rest.push(numberOf(packet)))
    send()
    await until('the rest', () => rest.at(-1) === 2 * FRAMES - 1)
    t.deepEqual(rest, numbers(2 * FRAMES - 8, 8))
    t.is(queue.stats.drops['pipeline-error'], 1)
    again.unsubscribe()
    await end()
  },
)

for (const others of [true, false])
  test.serial(
    `N2: unsubscribing from within next: ${others ? 'the others get all' : 'the rest stays for who comes next'}`,
    async t => {
      const { driver, send, end } = await plant()
      const queue = driver.fromGuest()
      const [first, good, later]: number[][] = [[], [], []]
      const leaving = queue.packets.subscribe(packet => {
        first.push(numberOf(packet))
        if (first.length === 8) leaving.unsubscribe()
      })
      const other = others ? queue.packets.subscribe(packet => good.push(numberOf(packet))) : undefined
      send()
      await until('the eighth packet', () => first.length === 8)
      await turns(8)
      t.is(first.length, 8, 'nothing comes after the unsubscription')
      if (other) t.deepEqual(good, numbers(FRAMES))
      else {
        const held = queue.stats.held
        t.true(held <= FRAMES - 8, 'at most the burst in hand is kept')
        send()
        const again = queue.packets.subscribe(packet => later.push(numberOf(packet)))
        await until('the rest', () => later.at(-1) === 2 * FRAMES - 1)
        t.deepEqual(later, numbers(2 * FRAMES - 8, 8))
        again.unsubscribe()
      }
      other?.unsubscribe()
      t.true(Object.values(queue.stats.drops).every(dropped => dropped === 0))
      await end()
    },
  )

test.serial('N2: closing the driver from within next: no callback comes after it', async t => {
  const { driver, guest, send, end } = await plant()
  const devices: { close(): void }[] = []
  const open = driver.subscribe(device => devices.push(device))
  const seen: number[] = []
  const bursts = driver.fromGuest().subscribe((burst: Burst) => {
    seen.push(burst.length)
    devices[0].close()
  })
  send()
  await guest.closed
  await turns(8)
  t.is(seen.length, 1)
  for (const subscription of [open, bursts]) subscription.unsubscribe()
  await end()
})
