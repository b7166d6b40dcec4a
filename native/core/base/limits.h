// Every limit of the data plane, with its reason. What a guest or a front end asks for beyond a limit is
// refused, or dropped and counted.
#pragma once

#include <chrono>
#include <cstdint>

namespace rxvhost {

/// Memory regions of one device. QEMU can use as many as KVM has memory slots, less those that are not RAM.
/// SET_MEM_TABLE carries at most 8, ADD_MEM_REG adds one at a time.
inline constexpr uint32_t kMaxRegions = 509;
/// Memory files of one device that stay open, so that their sizes can tell after a fault why a page was
/// missing (core/memory/backing.h): as many as one SET_MEM_TABLE carries. Each takes an fd of this process,
/// and a front end can send a file for each region.
inline constexpr uint32_t kMaxBackings = 8;
/// Rings of one device: bits 0-7 of the u64 in SET_VRING_KICK are the ring index.
inline constexpr uint32_t kMaxRings = 256;
/// Entries of a split ring: virtio 1.2 §2.7, "Queue Size … maximum 32768".
inline constexpr uint32_t kMaxRingSize = 32768;
/// Pieces of guest memory that one packet may consist of, and descriptors in its chain. Linux uses at most
/// 19, DPDK accepts 256. More would only be an attack on our time.
inline constexpr uint32_t kMaxSpans = 1024;
/// Longest frame: a TSO frame of 64 KiB payload with Ethernet, VLAN, IPv6 and TCP headers.
inline constexpr uint32_t kMaxPacket = 65536 + 256;
/// Shortest frame: an Ethernet header.
inline constexpr uint32_t kMinPacket = 14;
/// Packets moved by one native call.
inline constexpr uint32_t kMaxBurst = 256;
/// Words of the exchange, the memory in which slot ids pass to and from JavaScript: kMaxBurst words for ids
/// that are copied, and lists of 64 words for a thousand bursts that exist at one time; the ids of further
/// bursts are copied.
inline constexpr uint32_t kExchangeWords = kMaxBurst + 64 * 1024;
/// Completions are published at least this often, so that the guest's reuse of buffers overlaps our copying.
inline constexpr uint32_t kPublishEvery = 32;
/// Malformed chains in a row before the ring is latched. A driver that restarts on a running ring makes a
/// few; a guest that makes nothing else attacks our time.
inline constexpr uint32_t kMalformedBudget = 1024;
/// A chain takes one more from that budget for each kTollDescriptors descriptors; a good packet refills the
/// budget. DPDK refuses chains longer than this. Without this limit 256 chains of 32,768 empty descriptors
/// delayed a turn by 90 ms.
inline constexpr uint32_t kTollDescriptors = 256;
/// Descriptors that one burst walks, in chains that are not just one buffer: more than 64 packets of 64 KiB
/// have, and so few that the walk takes less than 50 us. Nothing refills this budget; the next burst goes on
/// from there. A to-guest burst passes over every malformed buffer and collects tiny ones, so without this
/// limit 32,768 chains of 255 descriptors, none of them long by itself, delayed a turn by 30 ms.
inline constexpr uint32_t kWalkBudget = 4096;

/// A small slot: headroom for tags that are pushed in front, then a frame of the usual MTU with room for two
/// VLAN tags. Its size is a power of two plus one cache line: in slots of 2048 bytes all frames would begin
/// in the same two of the 64 sets of a first-level cache, and those hold 24 lines.
inline constexpr uint32_t kSmallSlot = 2048 + 64;
inline constexpr uint32_t kHeadroom = 128;
/// A large slot holds the longest frame, contiguous.
inline constexpr uint32_t kLargeSlot = 65536 + 2048;
/// Slots enter the free list in slabs, so that memory is touched only as the pool fills.
inline constexpr uint32_t kSmallSlab = 256;
inline constexpr uint32_t kLargeSlab = 8;
/// Lease accounts of one pool, one per queue that dequeues: 64 queue pairs for each of a thousand devices. A
/// slot's account has 16 bits in the records of loans (src/data/pool/loans.ts). The accounts take 4 MiB of
/// address space, touched as accounts are opened.
inline constexpr uint32_t kMaxAccounts = 65536;

/// The longest path that fits in sockaddr_un with its terminating zero.
inline constexpr uint32_t kMaxSocketPath = 107;
/// After this time, or twice as long, the write to an eventfd counts as blocked by the peer, whose counter is
/// at its maximum. All devices of the thread wait as long, once: the device of that peer is then closed.
inline constexpr uint32_t kCallDeadlineMs = 10;
/// Threads that close fds of peers (core/base/closer.h). A peer can block each of them for an unbounded time;
/// if all are blocked, further fds that are neither memory nor notifiers stay open until a thread is free.
inline constexpr uint32_t kClosers = 16;
/// Threads that free the memory of guests. With two of them, other memory need not wait until that of a very
/// large guest is freed.
inline constexpr uint32_t kFreeingThreads = 2;
/// Fds of memory files that may wait for those threads. They count against the fd limit of the process, 1,024
/// by default. A thread that closes one more frees that memory itself, in 50 ms for each GiB.
inline constexpr int kMostToFree = 256;
/// Threads that map and unmap guests' memory (core/memory/memory_threads.h), and how many of them the devices
/// of one driver may use: two, so that a connection that blocks one does not stop the next connection. One
/// front end can't block all threads: that takes 32 drivers.
inline constexpr uint32_t kMemoryThreads = 64;
inline constexpr uint32_t kMemoryThreadsEach = 2;
/// How long a blocking thread without work waits before it ends.
inline constexpr std::chrono::seconds kBlockingThreadStays{1};

}  // namespace rxvhost
