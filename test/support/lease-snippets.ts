// The pipelines that docs/leases.md prints, each between its marks. test/docs/leases.test.ts runs them, and compares the
// page with this file.
import { bufferCount, bufferTime, concatMap, delay, filter, map, type Observable, of } from 'rxjs'
import type { VhostDevice } from '../../src/index.js'
import { enqueue, filterPackets, release, retain } from '../../src/operators/index.js'

type Port = Pick<VhostDevice, 'fromGuest' | 'toGuest'>

// biome-ignore format: as the page prints them
export const snippets: Record<string, (vm: Port, other: Port) => Observable<unknown>> = {
  'right: at once': (vm, other) =>
    // begin
    vm.fromGuest().pipe(
      filterPackets(packet => packet.uint16(12) !== 0x86dd),
      enqueue(other.toGuest()),
    ),
    // end

  'right: later': (vm, other) =>
    // begin
    vm.fromGuest().pipe(
      retain(),
      delay(10),
      release(),
      enqueue(other.toGuest()),
    ),
    // end

  'right: a copy': vm =>
    // begin
    vm.fromGuest().packets.pipe(
      filter(packet => packet.uint16(12) === 0x0806), // ARP
      map(packet => packet.toBuffer()),
      bufferTime(1000),
    ),
    // end

  'wrong: a borrow used later': (vm, other) =>
    // begin
    vm.fromGuest().pipe(
      delay(10),
      enqueue(other.toGuest()),
    ),
    // end

  'wrong: retained too late': (vm, other) =>
    // begin
    vm.fromGuest().pipe(
      concatMap(burst => of(burst.retain()).pipe(delay(10))),
      release(),
      enqueue(other.toGuest()),
    ),
    // end

  'wrong: waits for more than the credit': (vm, other) =>
    // begin
    vm.fromGuest().packets.pipe(
      retain('collector'),
      bufferCount(2000),
      concatMap(packets => packets),
      release(),
      enqueue(other.toGuest()),
    ),
    // end
}
