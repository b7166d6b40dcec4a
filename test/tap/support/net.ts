// What the scenarios do to the network of their namespace, and guests behind interfaces.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { merge, type Subscription } from 'rxjs'
import { type GuestOptions, GuestPort } from '../../../src/guest/index.js'
import { VhostDriver } from '../../../src/index.js'
import { enqueue } from '../../../src/operators/index.js'
import { TapPort, type TapPortOptions } from '../../../src/tap/index.js'

/** `ip`, of iproute2, with these words. */
export const ip = (words: string): string => execFileSync('ip', words.split(' '), { encoding: 'utf8' })

/** Nothing speaks by itself. */
export function quiet(): void {
  for (const which of ['all', 'default']) writeFileSync(`/proc/sys/net/ipv6/conf/${which}/disable_ipv6`, '1')
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1')
}

export const macOf = (name: string): string => JSON.parse(ip(`-j link show ${name}`))[0].address

/** Tries until `look` says so. A test that waits in vain is ended by its runner. */
export async function until(look: () => boolean): Promise<void> {
  while (!look()) await new Promise(resolve => setTimeout(resolve, 1))
}

export const HOST_1 = '10.1.0.2'
export const HOST_2 = '10.2.0.2'

/** Two interfaces that the kernel routes between, `one` with 10.1.0.0/24 and `two` with 10.2.0.0/24. */
export function routed(options: TapPortOptions = {}): { one: TapPort; two: TapPort; toOne: string } {
  quiet()
  const one = new TapPort('one', { up: true })
  const two = new TapPort('two', { up: true, ...options })
  for (const [name, net, host] of [
    ['one', 1, HOST_1],
    ['two', 2, HOST_2],
  ]) {
    ip(`address add 10.${net}.0.1/24 dev ${name}`)
    ip(`neighbour add ${host} lladdr 02:00:00:00:00:0${net} dev ${name} nud permanent`)
  }
  return { one, two, toOne: macOf('one') }
}

export interface Behind {
  guest: GuestPort
  driver: VhostDriver
  running: Subscription
  close(): void
}

/** A guest behind an interface. */
export async function guestBehind(tap: TapPort, folder: string, options: GuestOptions = {}): Promise<Behind> {
  const driver = new VhostDriver(join(folder, `${tap.name}.sock`))
  const running = merge(
    driver.fromGuest().pipe(enqueue(tap.toHost())),
    tap.fromHost().pipe(enqueue(driver.toGuest())),
  ).subscribe()
  const guest = new GuestPort(driver.path, options)
  await guest.connect()
  return {
    guest,
    driver,
    running,
    close() {
      guest.close()
      running.unsubscribe()
    },
  }
}
