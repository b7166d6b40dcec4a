// Risk: a page of the guest's memory that was written and not marked is not sent again, and the guest goes on elsewhere
// with what was there before. A front end that takes the marks and copies the pages, as QEMU does, must end with what the
// back end wrote. What is compared is what only the back end writes: used rings with their event fields, and the buffers
// to the guest. (native/test/dirty_log_test.cc has the same with the front end in another thread.)
import test, { type ExecutionContext } from 'ava'
import { merge } from 'rxjs'
import { LAYOUT_FIELDS } from '../../src/addon/guest.js'
import { native } from '../../src/addon/native.js'
import type { GuestOptions, GuestPort } from '../../src/guest/index.js'
import type { DeviceEvent } from '../../src/index.js'
import { enqueue } from '../../src/operators/index.js'
import { intact, type Scene, scene, turns, watchEvents } from './support/scene.js'

test.beforeEach(t => t.timeout(120_000))

const PAGE = 4096

function layoutOf(port: GuestPort): number[] {
  const layout = new Float64Array(LAYOUT_FIELDS)
  native().guestLayout(port.handle, layout)
  return [...layout]
}

/** Pages that only the back end writes, by number. */
function pagesOfBackEnd(port: GuestPort): number[] {
  const layout = layoutOf(port)
  const pages = new Set<number>()
  const range = (from: number, length: number) => {
    for (let page = Math.floor(from / PAGE); page * PAGE < from + length; page++) pages.add(page)
  }
  const [toGuest, fromGuest] = [layout.slice(2, 10), layout.slice(10, 18)]
  for (const [, , used] of [toGuest, fromGuest]) range(used, 6 + 8 * port.options.queueSize)
  const [, , , , headers, buffers, stride, chains] = toGuest
  range(headers, 16 * chains)
  range(buffers, stride * chains)
  return [...pages]
}

const memoryOf = (port: GuestPort): Buffer => {
  const bytes = Buffer.alloc(layoutOf(port)[0])
  native().guestRead(port.handle, 0, bytes)
  return bytes
}
const pageOf = (memory: Buffer, page: number): Buffer => memory.subarray(page * PAGE, (page + 1) * PAGE)

interface Migrating {
  one: GuestPort
  other: GuestPort
  events: DeviceEvent[]
}

async function joined(it: Scene, options: GuestOptions): Promise<Migrating> {
  const [a, b] = [it.driver('a'), it.driver('b')]
  const { events, subscription } = watchEvents(b)
  it.running(subscription)
  const both = merge(a.fromGuest().pipe(enqueue(b.toGuest())), b.fromGuest().pipe(enqueue(a.toGuest())))
  it.running(both.subscribe())
  const [one, other] = [await it.guest(a, options), await it.guest(b, options)]
  for (const port of [one, other]) port.check({ adopt: true })
  return { one, other, events }
}

/** `frames` each way, and every one arrives. */
async function talk(t: ExecutionContext, { one, other }: Migrating, frames: number): Promise<void> {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ]) {
    to.check({ adopt: true })
    const done = from.generate({ frames, length: [60, 1500] })
    t.like(await to.whenReceived(frames), { received: frames, ...intact })
    await done
  }
  await turns(4)
}

const shapes: Record<string, GuestOptions> = {
  'one descriptor a frame': {},
  'no event index': { eventIndex: false },
  'frames over several small buffers': { receiveBuffer: 300 },
  'headers of their own, indirect tables, no mergeable buffers': { layout: 'indirect', mergeable: false },
  'thirty regions, one by one': { regions: 30, slots: true },
}
for (const [name, options] of Object.entries(shapes)) {
  test.serial(`each page that was written while it migrates is marked: ${name}`, async t => {
    const migrating = await joined(scene(t), options)
    const { other } = migrating
    await other.startLog()
    let changed = 0
    for (let round = 0; round < 10; round++) {
      other.dirtyPages()
      const before = memoryOf(other)
      await talk(t, migrating, 50)
      const after = memoryOf(other)
      const marked = new Set(other.dirtyPages())
      for (const page of pagesOfBackEnd(other)) {
        if (pageOf(before, page).equals(pageOf(after, page))) continue
        changed++
        t.true(marked.has(page), `page ${page}`)
      }
    }
    t.true(changed >= 10 * 3, `both used rings and some buffers, each time: ${changed}`)
  })

  test.serial(`a copy that follows the marks ends as the source: ${name}`, async t => {
    const migrating = await joined(scene(t), options)
    const { other, events } = migrating
    await other.startLog()
    const copy = memoryOf(other)
    const follow = (): number => {
      const pages = other.dirtyPages()
      for (const page of pages) native().guestRead(other.handle, page * PAGE, pageOf(copy, page))
      return pages.length
    }
    for (let round = 0; round < 20; round++) {
      await talk(t, migrating, 40)
      follow()
    }
    await talk(t, migrating, 100)
    await other.stop()
    t.true(follow() > 0)
    const source = memoryOf(other)
    const differ = pagesOfBackEnd(other).filter(page => !pageOf(copy, page).equals(pageOf(source, page)))
    t.deepEqual(differ, [])
    t.deepEqual(
      events.filter(event => event.type === 'migration').map(({ active }) => active),
      [true, false],
    )
  })
}

test.serial(
  'migrations that are begun and called off under traffic: no ring stops, no frame is lost',
  async t => {
    const migrating = await joined(scene(t), {})
    const { one, other, events } = migrating
    const before = events.length
    const frames = 20_000
    other.check({ adopt: true })
    const generated = one.generate({ frames, length: [60, 1500] })
    const whole = other.whenReceived(frames)
    let over = false
    whole.finally(() => {
      over = true
    })
    let times = 0
    for (; !over || times < 20; times++) {
      await other.startLog()
      await turns(2)
      await other.stopLog()
    }
    t.like(await whole, { received: frames, ...intact })
    await generated
    const since = events.slice(before)
    t.is(since.filter(event => event.type === 'migration').length, 2 * times)
    t.deepEqual(
      since.filter(event => event.type.startsWith('ring-') || event.type === 'fault'),
      [],
    )
  },
)

test.serial('once it is called off, nothing is marked any more', async t => {
  const migrating = await joined(scene(t), {})
  const { other } = migrating
  await other.startLog()
  await talk(t, migrating, 50)
  await other.stopLog()
  t.true(other.dirtyPages().length > 0)
  await talk(t, migrating, 50)
  t.deepEqual(other.dirtyPages(), [])
})

test.serial('of a guest that was closed no pages are told, marked or not', async t => {
  const migrating = await joined(scene(t), {})
  const { other } = migrating
  await other.startLog()
  await talk(t, migrating, 50)
  other.close()
  t.deepEqual(other.dirtyPages(), [])
})
