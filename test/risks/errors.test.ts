// Risk: what can't work fails without a word, or in a way that a program can't tell apart. Each failure to start is a
// VhostError with a stable code and the fix, through the Observable's error; and the driver can be tried again at once.
import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { type Observable, of, retry, Subject, switchMap } from 'rxjs'
import { GuestPort } from '../../src/guest/index.js'
import { VhostDriver, VhostError, type VhostErrorCode } from '../../src/index.js'
import { enqueue, mirror } from '../../src/operators/index.js'
import { marbles } from '../../src/testing/index.js'
import { fixture } from './support/child.js'
import { folder, scene, turns } from './support/scene.js'

test.beforeEach(t => t.timeout(60_000))

/** The error with which it fails, before subscribe() returns. */
function failure(of: Observable<unknown>): VhostError {
  let caught: unknown
  const subscription = of.subscribe({ error: error => (caught = error) })
  subscription.unsubscribe()
  return caught as VhostError
}

function fails(t: ExecutionContext, path: string, code: VhostErrorCode) {
  const driver = new VhostDriver(path)
  const good = new VhostDriver(join(folder(t), 'good.sock'))
  // However the driver comes into use; and each failure resets it, so that the next one is the same.
  for (const use of [
    driver,
    driver.fromGuest(),
    driver.fromGuest().packets,
    good.fromGuest().pipe(enqueue(driver.toGuest())),
    good.fromGuest().pipe(mirror(driver.toGuest())),
  ]) {
    const error = failure(use)
    t.true(error instanceof VhostError)
    t.is(error.code, code)
    t.is(error.path, path)
    t.truthy(error.fix, error.message)
    t.true(error.message.includes(error.fix ?? ''))
  }
}

test('paths that can be no socket', t => {
  const home = folder(t)
  writeFileSync(join(home, 'file'), '')
  fails(t, '', 'ERR_VHOST_PATH_INVALID')
  fails(t, join(home, 'a\0b'), 'ERR_VHOST_PATH_INVALID')
  fails(t, join(home, 'x'.repeat(108)), 'ERR_VHOST_PATH_INVALID')
  fails(t, join(home, 'file', 'v.sock'), 'ERR_VHOST_PATH_INVALID')
  fails(t, join(home, 'nowhere', 'v.sock'), 'ERR_VHOST_LISTEN_FAILED')
})

test('a file that is no socket is never unlinked', t => {
  const path = join(folder(t), 'v.sock')
  writeFileSync(path, 'precious')
  fails(t, path, 'ERR_VHOST_PATH_NOT_SOCKET')
  t.true(existsSync(path))
})

test("a live server's path is left alone, ours or anyone's", async t => {
  const home = folder(t)
  const path = join(home, 'other.sock')
  const server = createServer()
  await new Promise<void>(resolve => server.listen(path, resolve))
  t.teardown(() => server.close())
  fails(t, path, 'ERR_VHOST_PATH_IN_USE')
  const it = scene(t)
  const ours = it.driver('v')
  it.running(ours.subscribe())
  fails(t, ours.path, 'ERR_VHOST_PATH_IN_USE')
  await it.guest(ours) // it never noticed
})

test('the socket file of a process that was killed is replaced', async t => {
  const home = folder(t)
  const child = fixture(t, 'exits', [home, 'signal'])
  await child.line('listening')
  child.kill('SIGKILL')
  await child.ended
  const driver = new VhostDriver(join(home, 'a.sock'))
  t.true(existsSync(driver.path), 'SIGKILL leaves it')
  const running = driver.subscribe({ error: error => t.fail(error.message) })
  const guest = new GuestPort(driver.path)
  await guest.connect()
  guest.close()
  running.unsubscribe()
  t.false(existsSync(driver.path))
})

test('retry() binds in the same tick in which the path became free', async t => {
  const it = scene(t)
  const first = it.driver('v')
  const running = first.subscribe()
  const second = new VhostDriver(first.path)
  const errors: VhostError[] = []
  const delay = (error: VhostError) => {
    errors.push(error)
    running.unsubscribe()
    return of(0)
  }
  it.running(second.pipe(retry({ delay })).subscribe())
  t.deepEqual(
    errors.map(({ code }) => code),
    ['ERR_VHOST_PATH_IN_USE'],
  )
  await it.guest(second)
})

test('switchMap() to another driver, or the same, on the same path listens in the same tick', async t => {
  const it = scene(t)
  const path = it.driver('v').path
  const same = new VhostDriver(path)
  const drivers = new Subject<VhostDriver>()
  const devices: string[] = []
  it.running(drivers.pipe(switchMap(driver => driver)).subscribe(device => devices.push(device.path)))
  for (const driver of [same, same, new VhostDriver(path), new VhostDriver(path), same]) {
    drivers.next(driver)
    t.true(existsSync(path))
    const guest = await it.guest(same)
    guest.close()
    await turns(2)
  }
  t.is(devices.length, 5)
})

test('a mistake says what to do about it, also where its fix is the usual one', async t => {
  const port = new GuestPort(join(folder(t), 'v.sock'))
  const mistakes = [await t.throwsAsync(port.stop()), await t.throwsAsync(port.start())]
  port.close()
  mistakes.push(await t.throwsAsync(port.connect()))
  marbles(h => {
    const { queue } = h.fakeQueue('1')
    h.clock.schedule(() => {
      const burst = queue.dequeueBurst(1)
      burst.release()
      mistakes.push(t.throws(() => burst.release()))
    }, 1)
  })
  t.deepEqual(
    mistakes.map(error => (error as VhostError).code.replace('ERR_VHOST_', '')),
    ['DEVICE_GONE', 'DEVICE_GONE', 'DEVICE_GONE', 'LEASE_RELEASED'],
  )
  for (const error of mistakes as VhostError[]) {
    t.truthy(error.fix, error.message)
    t.true(error.message.includes(error.fix as string))
  }
})

test('without its addon the package says how to get one; operators and testing work', async t => {
  const home = folder(t)
  mkdirSync(join(home, 'dist'))
  const root = join(import.meta.dirname, '..', '..', '..')
  cpSync(join(root, 'dist', 'src'), join(home, 'dist', 'src'), { recursive: true })
  cpSync(join(root, 'package.json'), join(home, 'package.json'))
  symlinkSync(join(root, 'node_modules'), join(home, 'node_modules'))
  const child = fixture(t, 'no-addon', [pathToFileURL(join(home, 'dist', 'src')).href])
  const { code, message, fix } = await child.value<Record<string, string>>('error')
  t.is(code, 'ERR_VHOST_ADDON_MISSING')
  t.regex(fix, /node-gyp rebuild --directory=node_modules\/rx-vhost\/native/)
  t.true(message.includes(fix))
  t.deepEqual(await child.value('works'), { operators: 'function', testing: 'object' })
  t.deepEqual(await child.ended, { code: 0, signal: null })
})
