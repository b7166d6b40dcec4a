// Every limit of the data plane, with its reason. A guest or front end can ask for more of anything; past
// these it is refused or dropped, and counted.
#pragma once

#include <chrono>
#include <cstdint>

namespace rxvhost {

/// Regions of one device: KVM's number of memory slots, less those that are not RAM, which is what QEMU can
/// use. SET_MEM_TABLE brings 8 of them at most, ADD_MEM_REG one by one.
inline constexpr uint32_t kMaxRegions = 509;
/// Files of one device that stay open to be asked, after a fault, why a page was missing
/// (core/memory/backing.h): those of a whole SET_MEM_TABLE. They are the process's descriptors, and a front
/// end can send a file for each of its regions.
inline constexpr uint32_t kMaxBackings = 8;
/// Rings of one device: bits 0-7 of the u64 in SET_VRING_KICK are the ring index.
inline constexpr uint32_t kMaxRings = 256;
/// Entries of a split ring: virtio 1.2 §2.7, "Queue Size … maximum 32768".
inline constexpr uint32_t kMaxRingSize = 32768;
/// Pieces of guest memory one packet may be scattered over. Linux uses at most 19, DPDK accepts 256; more is
/// an attack on our time, not a packet.
inline constexpr uint32_t kMaxSpans = 1024;
/// Longest frame: a TSO frame of 64 KiB payload with Ethernet, VLAN, IPv6 and TCP headers.
inline constexpr uint32_t kMaxPacket = 65536 + 256;
/// Shortest frame: an Ethernet header.
inline constexpr uint32_t kMinPacket = 14;
/// Packets moved by one native call.
inline constexpr uint32_t kMaxBurst = 256;
/// Words of the exchange, where slot ids cross the border to JavaScript: kMaxBurst to copy through, and lists
/// of 64 for a thousand bursts that are in hand at one time; more have their ids copied.
inline constexpr uint32_t kExchangeWords = kMaxBurst + 64 * 1024;
/// Completions are published at least this often, so that the guest's reuse of buffers overlaps our copying.
inline constexpr uint32_t kPublishEvery = 32;
/// Malformed chains in a row before the ring is latched. A driver that restarts on a live ring makes a few; a
/// guest that makes only these is keeping us busy on purpose.
inline constexpr uint32_t kMalformedBudget = 1024;
/// For every so many descriptors a chain pays once more from that budget, until a good packet refills it:
/// DPDK accepts no longer chains at all. Without this toll 256 chains of 32,768 empty descriptors held up a
/// turn for 90 ms.
inline constexpr uint32_t kTollDescriptors = 256;
/// Descriptors that a burst walks: what its longest chains without a toll come to. Nothing refills it; what
/// is beyond is for the next burst. A to-guest burst takes as many buffers as the guest makes malformed or
/// tiny, so without it 32,768 chains of 255 descriptors, none of which is long, held up a turn for 30 ms.
inline constexpr uint32_t kWalkBudget = kMaxBurst * kTollDescriptors;

/// A small slot: headroom for tags pushed in front, then a frame of the usual MTU with room for two VLAN
/// tags. A cache line more than a power of two: with 2048 bytes the frames of all slots begin in the same two
/// of a first-level cache's 64 sets, which hold 24 of them.
inline constexpr uint32_t kSmallSlot = 2048 + 64;
inline constexpr uint32_t kHeadroom = 128;
/// A large slot holds the longest frame, contiguous.
inline constexpr uint32_t kLargeSlot = 65536 + 2048;
/// Slots enter the free list in slabs, so that a pool that is never filled never touches its memory.
inline constexpr uint32_t kSmallSlab = 256;
inline constexpr uint32_t kLargeSlab = 8;
/// Lease accounts of one pool, one per queue that dequeues: 64 queue pairs for each of a thousand devices. A
/// slot's account is kept in 16 bits where it is lent (src/data/pool/loans.ts). 4 MiB of address space,
/// touched as accounts are opened.
inline constexpr uint32_t kMaxAccounts = 65536;

/// The longest path that fits in sockaddr_un with its terminating zero.
inline constexpr uint32_t kMaxSocketPath = 107;
/// A notification that has not returned after this long is blocked by its peer (an eventfd at its maximum).
inline constexpr uint32_t kCallDeadlineMs = 100;
/// Threads that close what peers sent (core/base/closer.h). Each can be stuck for as long as a peer likes;
/// beyond these, what else comes that is neither memory nor a notifier stays open until one of them is free.
inline constexpr uint32_t kClosers = 16;
/// Threads that free memory which nobody has any more. One would do, but for a guest so large that others
/// should not wait for it.
inline constexpr uint32_t kFreeingThreads = 2;
/// Fds of memory files that wait for those threads. They are the process's: by default 1,024 for all its
/// connections. What is beyond is freed where it is closed, 50 ms for each GiB.
inline constexpr int kMostToFree = 256;
/// Threads that map and unmap guests' memory (core/memory/memory_threads.h), and how many of them the devices
/// of one driver may have: a second one, so that what sticks with one connection does not keep the next from
/// work. As many drivers as it takes to have all of them stuck are not one front end.
inline constexpr uint32_t kMemoryThreads = 64;
inline constexpr uint32_t kMemoryThreadsEach = 2;
/// How long one of either without work stays for more.
inline constexpr std::chrono::seconds kBlockingThreadStays{1};

}  // namespace rxvhost
