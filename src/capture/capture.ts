// The operator `capture`. It passes packets to a PcapngWriter (writer.ts), which writes the file.
import type { Writable } from 'node:stream'
import type { MonoTypeOperatorFunction, Subscriber } from 'rxjs'
import { VhostError } from '../errors.js'
import { OperatorSubscriber, operator } from '../operators/shared/operator.js'
import { type Burst, type BurstCore, packetAt } from '../packet/burst.js'
import { type Packet, type Slots, slotOf, slotsOf } from '../packet/packet.js'
import { type PacketPredicate, Verdicts } from '../packet/predicate.js'
import { DIRECTIONS } from './chunk.js'
import type { CapturePort } from './interfaces.js'
import { type CaptureOptions, checkCaptureOptions, type PcapngWriterOptions } from './options.js'
import { PcapngWriter } from './writer.js'

/**
 * Writes each packet to a pcapng file or stream, and emits all bursts and packets unchanged.
 *
 * ```
 * source:   --(1 2 3)--------(4)--|
 *           capture('vm.pcapng')
 * file:     H-(1 2 3)--------(4)--S     header, packets, statistics
 * result:   --(1 2 3)--------(4)--|
 * ```
 *
 * By default the operator never slows the pipeline: it copies packets into a bounded buffer, and the buffer is written
 * to the file. If the disk is too slow, packets are dropped from the capture, but not from the pipeline. The drops are
 * counted in the writer's `stats` and in the statistics of the file. With `overflow: 'block'` the pipeline waits for
 * the disk instead. If the disk is full or the stream fails, the pipeline continues. The failure is reported as an
 * event (`onEvent` or `writer.events`), or as a process warning if there is no listener.
 *
 * A packet is captured before downstream operators get it. If a subscription ends inside a burst, the next subscription
 * may get some packets again, and they are captured again. All packets of a burst get the time at which the burst
 * arrived at this operator.
 *
 * To capture several queues into one file, create a {@link PcapngWriter}, or use one `capture()` in several pipelines.
 * Await the writer's `finished()` before you read the file or exit the process.
 *
 * **Leases.** Takes no leases, except with `block`: then it takes a lease on each packet that waits for room in the
 * buffer.
 *
 * If `filter` throws, the packet is dropped and counted as `pipeline-error`. The packets before it are captured and
 * emitted, then the subscription fails. With `retry()` the new subscription continues with the next packet.
 *
 * @param to A path, a stream or a writer. A file at the path is overwritten.
 * @throws `ERR_VHOST_INVALID_ARGUMENT` for options that contradict each other.
 * @example
 * vm.fromGuest().pipe(capture('vm.pcapng', { rotate: { bytes: 100e6 }, ring: 5 }), enqueue(other.toGuest()))
 */
export function capture<T extends Burst | Packet = Burst>(
  to: PcapngWriter,
  options?: CaptureOptions,
): MonoTypeOperatorFunction<T>
export function capture<T extends Burst | Packet = Burst>(
  to: string | Writable,
  options?: CaptureOptions & PcapngWriterOptions,
): MonoTypeOperatorFunction<T>
export function capture<T extends Burst | Packet = Burst>(
  to: string | Writable | PcapngWriter,
  options: CaptureOptions & PcapngWriterOptions = {},
): MonoTypeOperatorFunction<T> {
  checkCaptureOptions(options)
  const { name, direction = 'inbound', snaplen = Infinity, filter } = options
  const writer = to instanceof PcapngWriter ? to : new PcapngWriter(to, options)
  const port = { to: writer.interfaceOf(name, snaplen), flags: DIRECTIONS[direction] }
  return operator(out => new CaptureSubscriber(out, writer, port, filter))
}

class CaptureSubscriber extends OperatorSubscriber {
  readonly #one = new Uint32Array(1)
  /**
   * Buffer for the slots that passed the filter. It is null while in use, so that a nested call allocates its own
   * buffer.
   */
  #passed: Uint32Array | null = null
  readonly #verdicts: Verdicts

  constructor(
    out: Subscriber<Burst | Packet>,
    readonly writer: PcapngWriter,
    readonly port: CapturePort,
    readonly filter: PacketPredicate | undefined,
  ) {
    super(out)
    this.#verdicts = new Verdicts(filter)
    this.add(writer.use())
  }

  protected onBurst(burst: Burst, input: BurstCore): void {
    const { out, filter } = this
    if (filter === undefined) {
      if (this.#write(input.slots, input.ids, input.length, input.length)) out.next(burst)
      return
    }
    const verdicts = this.#verdicts.of(input)
    let passed = this.#passed
    this.#passed = null
    if (passed === null || passed.length < input.length) passed = new Uint32Array(input.ids.length)
    let count = 0
    let at = 0
    try {
      for (; at < input.length && !out.closed; at++)
        if (verdicts === null ? filter(packetAt(input, at)) : verdicts[at] === 1)
          passed[count++] = input.ids[at]
    } catch (error) {
      this.#write(input.slots, passed, count, at)
      this.fail(error, input, at)
      return
    }
    if (out.closed) {
      this.stop(input, at)
      return
    }
    const fits = this.#write(input.slots, passed, count, input.length)
    this.#passed = passed
    if (fits) out.next(burst)
  }

  protected onPacket(packet: Packet): void {
    let count = 1
    try {
      if (this.filter !== undefined && !this.filter(packet)) count = 0
    } catch (error) {
      this.failPacket(error)
      return
    }
    if (this.out.closed) return
    this.#one[0] = slotOf(packet)
    if (this.#write(slotsOf(packet), this.#one, count, 1)) this.out.next(packet)
  }

  // Returns false if the buffer is full. In this case the subscription has failed.
  #write(slots: Slots, ids: Uint32Array, count: number, received: number): boolean {
    if (this.writer.recorder.put(this.port, slots, ids, count, received)) return true
    this.out.error(
      new VhostError(
        'ERR_VHOST_OVERFLOW',
        "the capture's buffer is full and its overflow policy is 'strict'",
      ),
    )
    return false
  }
}
