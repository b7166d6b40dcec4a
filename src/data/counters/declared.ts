// The one declaration of what a ring counts: the names in JavaScript, `enum Stat` in native/core/virtqueue/stat.h and the
// tables of docs/statistics.md follow from it. `npm run generate` writes the last two; a test compares them.

interface Declared {
  /** In JavaScript. Counters of librte_vhost have its names; the others are ours. */
  readonly name: string
  /** In `enum Stat`. */
  readonly stat: string
  /** A drop: the reason that users read in `drops`. */
  readonly isDrop?: true
  /** The field of the statistics, where it has another name. */
  readonly field?: string
  /** When it rises, for docs/statistics.md; of a drop, why the packet is dropped. */
  readonly rises: string
}

/** In the order in which native code counts, one word of 64 bits each. */
export const DECLARED = [
  {
    name: 'good_packets',
    stat: 'stat_packets',
    rises: 'a frame was moved between the ring and the pool; also `packets`',
  },
  {
    name: 'good_bytes',
    stat: 'stat_bytes',
    rises: 'likewise, by the length of the frame (bytes); also `bytes`',
  },
  {
    name: 'multicast_packets',
    stat: 'stat_multicast',
    rises: "the frame's destination is a group, but not the broadcast address",
  },
  { name: 'broadcast_packets', stat: 'stat_broadcast', rises: 'the destination is ff:ff:ff:ff:ff:ff' },
  { name: 'undersize_packets', stat: 'stat_undersize', rises: 'the frame has less than 64 bytes' },
  {
    name: 'size_64_packets',
    stat: 'stat_size_64',
    rises: 'it has 64 bytes, like the frames that testpmd sends',
  },
  { name: 'size_65_127_packets', stat: 'stat_size_65', rises: 'it has 65 to 127 bytes' },
  { name: 'size_128_255_packets', stat: 'stat_size_128', rises: 'it has 128 to 255 bytes' },
  { name: 'size_256_511_packets', stat: 'stat_size_256', rises: 'it has 256 to 511 bytes' },
  { name: 'size_512_1023_packets', stat: 'stat_size_512', rises: 'it has 512 to 1023 bytes' },
  { name: 'size_1024_1518_packets', stat: 'stat_size_1024', rises: 'it has 1024 to 1518 bytes' },
  { name: 'size_1519_max_packets', stat: 'stat_size_1519', rises: 'it has more than 1518 bytes' },
  { name: 'guest_notifications', stat: 'stat_calls', rises: "the guest's call eventfd was written (calls)" },
  {
    name: 'guest_notifications_suppressed',
    stat: 'stat_calls_suppressed',
    rises:
      'something was published and the guest had asked for no call, by the event index or by `VRING_AVAIL_F_NO_INTERRUPT` (calls)',
  },
  {
    name: 'guest_notifications_error',
    stat: 'stat_call_errors',
    rises: 'the write failed, or the front end blocked it, which is a fault of the ring (calls)',
  },
  {
    name: 'bad-buffers',
    stat: 'stat_bad_buffers',
    field: 'badBuffers',
    rises: 'to guest: a receive buffer with a malformed chain was given back unused (buffers)',
  },
  {
    name: 'checksums',
    stat: 'stat_checksums',
    rises: 'to guest: a checksum was filled in for a guest that takes no packet without one',
  },
  { name: 'bursts', stat: 'stat_bursts', rises: 'a native call found the ring running (calls)' },
  {
    name: 'idle-bursts',
    stat: 'stat_idle_bursts',
    field: 'idleBursts',
    rises: 'such a call found nothing to take, or no room (calls)',
  },
  {
    name: 'walked-descriptors',
    stat: 'stat_walked',
    field: 'walkedDescriptors',
    rises: 'chains of the guest were read that are more than one plain buffer (descriptors)',
  },
  {
    name: 'short',
    stat: 'drop_short',
    isDrop: true,
    rises: 'the chain is shorter than the virtio-net header',
  },
  { name: 'empty', stat: 'drop_empty', isDrop: true, rises: 'the chain has a header and no packet' },
  { name: 'runt', stat: 'drop_runt', isDrop: true, rises: 'the packet is shorter than an Ethernet header' },
  { name: 'too-long', stat: 'drop_too_long', isDrop: true, rises: 'the packet is longer than a slot' },
  {
    name: 'direction',
    stat: 'drop_direction',
    isDrop: true,
    rises: 'a buffer of the chain is writable where it must be readable, or the reverse',
  },
  {
    name: 'address',
    stat: 'drop_address',
    isDrop: true,
    rises: "a buffer lies outside of the guest's memory",
  },
  {
    name: 'indirect',
    stat: 'drop_indirect',
    isDrop: true,
    rises: 'the chain has an indirect table that virtio does not allow',
  },
  {
    name: 'fragments',
    stat: 'drop_fragments',
    isDrop: true,
    rises: 'the chain has more pieces than a packet may have',
  },
  {
    name: 'csum-bounds',
    stat: 'drop_csum_bounds',
    isDrop: true,
    rises: 'the header asks for a checksum outside of the packet',
  },
  {
    name: 'gso',
    stat: 'drop_gso',
    isDrop: true,
    rises: 'the header asks for a segmentation that makes no sense',
  },
  {
    name: 'feature',
    stat: 'drop_feature',
    isDrop: true,
    rises: 'the header asks for what was not negotiated',
  },
  {
    name: 'rx-too-small',
    stat: 'drop_rx_too_small',
    isDrop: true,
    rises: 'to guest: no receive buffer of this guest can hold the packet',
  },
  {
    name: 'offload',
    stat: 'drop_offload',
    isDrop: true,
    rises: 'to guest: the packet needs segmentation that this guest did not negotiate',
  },
  {
    name: 'revoked',
    stat: 'drop_revoked',
    isDrop: true,
    rises: 'the packet was copied from memory that the front end has taken away since',
  },
  {
    name: 'mtu',
    stat: 'drop_mtu',
    isDrop: true,
    rises: 'to guest: the packet is longer than the MTU that the front end has set',
  },
  {
    name: 'link-down',
    stat: 'drop_link_down',
    isDrop: true,
    rises: 'of a TAP interface: the interface is not up',
  },
  {
    name: 'refused',
    stat: 'drop_refused',
    isDrop: true,
    rises: 'of a TAP interface: the kernel refused the frame, or no virtio-net header describes it',
  },
] as const satisfies readonly Declared[]

type NamesOf<T extends readonly Declared[]> = { readonly [I in keyof T]: T[I]['name'] }

/** The names, in that order. */
export const RING_COUNTERS = DECLARED.map(({ name }) => name) as unknown as NamesOf<typeof DECLARED>

/** The names of drops. */
export const RING_DROPS: readonly string[] = DECLARED.filter(counter => 'isDrop' in counter).map(
  ({ name }) => name,
)

/** The text of native/core/virtqueue/stat.h. */
export const nativeEnum =
  (): string => `// What a ring counts, by index. Written by \`npm run generate\` from src/data/counters/declared.ts.
#pragma once

#include <cstdint>

namespace rxvhost {

enum Stat : uint32_t {
${DECLARED.map(({ stat }) => `  ${stat},`).join('\n')}
  stat_count,
};

}  // namespace rxvhost
`

const tableOf = (head: string, rows: readonly Declared[]): string =>
  [
    `| ${head} | rises when |`,
    '|---|---|',
    ...rows.map(({ name, field, rises }) => `| \`${field ?? name}\` | ${rises} |`),
  ].join('\n')

/** The tables of docs/statistics.md, by the mark before which each begins. */
export const docTables = (): Record<'counters' | 'drops', string> => ({
  counters: tableOf(
    'name',
    DECLARED.filter(counter => !('isDrop' in counter)),
  ),
  drops: tableOf(
    'reason',
    DECLARED.filter(counter => 'isDrop' in counter),
  ),
})

/** `page` with the tables between their marks, \`<!-- counters -->\` and \`<!-- /counters -->\`. */
export const withTables = (page: string): string =>
  Object.entries(docTables()).reduce(
    (text, [mark, table]) =>
      text.replace(
        new RegExp(`(<!-- ${mark} -->\n)[\\s\\S]*?(<!-- /${mark} -->)`),
        (_, begin, end) => `${begin}${table}\n${end}`,
      ),
    page,
  )
