// `bpf`: filter expressions, compiled and run by libpcap (native/core/bpf). A filter is a predicate for a packet; the operators
// that use Verdicts (predicate.ts) have it judge a burst by one native call.

import { type Addon, native } from '../addon/native.js'
import { VhostError } from '../errors.js'
import type { BurstCore } from '../packet/burst-core.js'
import { type Packet, slotOf, slotsOf } from '../packet/packet.js'
import { JUDGE, type PacketPredicate } from '../packet/predicate.js'

/** A compiled filter expression: a predicate for packets, and for frames of your own. */
export interface BpfFilter extends PacketPredicate {
  /** As it was given. */
  readonly expression: string
  /** Does this Ethernet frame match? For a test of an expression: it needs no device. */
  matches(frame: Uint8Array): boolean
}

/** Frees a program when its filter is garbage. */
const programs = new FinalizationRegistry<number>(program => native().bpfFree(program))

/**
 * Compiles a filter expression, as tcpdump and Wireshark's capture filters have them (`pcap-filter(7)`).
 *
 * ```
 * source:   --(1 2 3 4)-----(5 7)-----(6)--|
 *           filterPackets(bpf('udp port 53'))      2, 4 and 6 are of DNS
 * result:   --(2 4)-------------------(6)--|
 * ```
 *
 * A predicate for `filterPackets`, `partitionPackets`, `capture(…, { filter })` and wherever a function of a packet is asked
 * for. These three judge a burst by one native call. The frame is judged as it is in the burst: VLAN tags are in it, so
 * that what follows `vlan` in the expression is looked for behind the tag; a frame to be segmented is longer than what
 * will be on a wire, which `len`, `less` and `greater` see; `inbound`, `outbound` and `ifname` have no meaning.
 *
 * libpcap is in the published binaries; `RX_VHOST_LIBPCAP` names a shared one that is loaded instead, at the first call.
 * Compiling blocks: names of hosts are looked up, once. Take no expression from someone whom you would not let resolve names.
 *
 * @param expression In libpcap's syntax; an empty one matches everything.
 * @throws `ERR_VHOST_FILTER_INVALID` with libpcap's words for an expression that it does not take,
 * `ERR_VHOST_LIBPCAP_MISSING` where there is no libpcap.
 * @example
 * guest.fromGuest().pipe(filterPackets(bpf('tcp port 443 and net 10.0.0.0/8')), enqueue(other.toGuest()))
 */
export function bpf(expression: string): BpfFilter {
  if (typeof expression !== 'string') throw new TypeError('a filter expression must be a string')
  const addon = native()
  const missing = addon.bpfLoad(process.env.RX_VHOST_LIBPCAP ?? '')
  if (missing !== '')
    throw new VhostError(
      'ERR_VHOST_LIBPCAP_MISSING',
      `filters need libpcap, which can not be loaded (${missing})`,
      {
        fix: 'apt-get install libpcap0.8, or dnf install libpcap',
      },
    )
  // A zero byte would end it for libpcap, and more would match than was asked for.
  const program = expression.includes('\0') ? 'it has a zero byte' : addon.bpfCompile(expression)
  if (typeof program === 'string')
    throw new VhostError(
      'ERR_VHOST_FILTER_INVALID',
      `the filter "${expression}" is not understood (${program})`,
      {
        fix: 'see pcap-filter(7) for the syntax',
      },
    )
  return filterOf(addon, program, expression)
}

/** Shared by the functions of a filter: the program lives as long as one of them. */
interface Program {
  readonly handle: number
}

function filterOf(addon: Addon, handle: number, expression: string): BpfFilter {
  const program: Program = { handle }
  programs.register(program, handle)
  const one = new Uint32Array(1)
  const verdict = new Uint8Array(1)
  const filter = (packet: Packet): boolean => {
    one[0] = slotOf(packet)
    const { bytes, meta } = slotsOf(packet)
    addon.bpfFilter(program.handle, bytes, meta, one, 1, verdict)
    return verdict[0] === 1
  }
  return Object.assign(filter, {
    expression,
    matches: (frame: Uint8Array): boolean => addon.bpfMatches(program.handle, frame),
    [JUDGE]: ({ slots, ids, length }: BurstCore, verdicts: Uint8Array): void =>
      addon.bpfFilter(program.handle, slots.bytes, slots.meta, ids, length, verdicts),
  })
}
