// Every limit of the data plane, with its reason. If a guest or a front end exceeds a limit, its request is
// refused, or its packet is dropped and counted.
#pragma once

#include <chrono>
#include <cstdint>

namespace rxvhost {

/// Memory regions of one device. QEMU can use as many regions as KVM has memory slots for RAM. SET_MEM_TABLE
/// carries at most 8 regions; ADD_MEM_REG adds one at a time.
inline constexpr uint32_t kMaxRegions = 509;
/// Memory files of one device that stay open. After a fault, the size of the file tells why a page was
/// missing (core/memory/backing.h). The limit is the number of files that one SET_MEM_TABLE can carry. A
/// limit is necessary because each open file takes an fd of this process, and a front end can send a file for
/// each region.
inline constexpr uint32_t kMaxBackings = 8;
/// Rings of one device. In SET_VRING_KICK the ring index has 8 bits: bits 0-7 of the u64.
inline constexpr uint32_t kMaxRings = 256;
/// Entries of a split ring: virtio 1.2 §2.7, "Queue Size … maximum 32768".
inline constexpr uint32_t kMaxRingSize = 32768;
/// Pieces of guest memory that one packet may consist of, and descriptors in its chain. Linux uses at most
/// 19, and DPDK accepts 256. A guest would use more only to make us spend time.
inline constexpr uint32_t kMaxSpans = 1024;
/// Longest frame: a TSO frame of 64 KiB payload with Ethernet, VLAN, IPv6 and TCP headers.
inline constexpr uint32_t kMaxPacket = 65536 + 256;
/// Segments that one frame may become: at this limit a frame of 64 KiB has segments of 64 bytes. Without it a
/// guest could make one frame cost its receiver 65,000 packets.
inline constexpr uint32_t kMaxSegments = 1024;
/// Shortest frame: an Ethernet header.
inline constexpr uint32_t kMinPacket = 14;
/// Packets that one native call moves.
inline constexpr uint32_t kMaxBurst = 256;
/// Words of the exchange, the memory in which slot ids pass to and from JavaScript. kMaxBurst words are for
/// ids that are copied. The other words are lists of 64 ids for a thousand bursts that exist at the same
/// time; the ids of further bursts are copied.
inline constexpr uint32_t kExchangeWords = kMaxBurst + 64 * 1024;
/// Completions are published at least this often, so that the guest's reuse of buffers overlaps our copying.
inline constexpr uint32_t kPublishEvery = 32;
/// Malformed chains in a row before the ring is latched. A driver that restarts on a running ring makes a few
/// malformed chains. A guest that makes only malformed chains does so to make us spend time.
inline constexpr uint32_t kMalformedBudget = 1024;
/// A long chain counts as one more malformed chain for each kLongChain descriptors in it. A good packet
/// sets the count back to 0. DPDK refuses chains with more descriptors than this number. Without this rule,
/// 256 chains of 32,768 empty descriptors delayed a turn of the event loop by 90 ms.
inline constexpr uint32_t kLongChain = 256;
/// Descriptors that one burst walks in chains that are more than one buffer: enough for 64 packets of 64 KiB,
/// and few enough that the walk takes less than 50 us. At this limit the burst ends, and the next burst
/// continues. A to-guest burst skips every malformed buffer and combines tiny buffers. So without this limit
/// 32,768 chains of 255 descriptors, each too short to count as long, delayed a turn by 30 ms.
inline constexpr uint32_t kWalkBudget = 4096;

/// Bytes of a small slot: headroom for tags that are pushed in front, then a frame of the usual MTU with room
/// for two VLAN tags. The size is a power of two plus one cache line, so that frames begin in different sets
/// of the first-level cache. With 2048 bytes, all frames would begin in the same two of its 64 sets, which
/// hold 24 lines.
inline constexpr uint32_t kSmallSlot = 2048 + 64;
inline constexpr uint32_t kHeadroom = 128;
/// Bytes of a large slot, which holds the longest frame in one piece.
inline constexpr uint32_t kLargeSlot = 65536 + 2048;
/// Slots enter the free list in slabs, so that the pool touches its memory only as it fills.
inline constexpr uint32_t kSmallSlab = 256;
inline constexpr uint32_t kLargeSlab = 8;
/// Lease accounts of one pool, one per queue that dequeues: enough for a thousand devices of 64 queue pairs.
/// The records of loans (src/data/pool/loans.ts) have 16 bits for a slot's account. The accounts take 4 MiB
/// of address space, which is touched only as accounts are opened.
inline constexpr uint32_t kMaxAccounts = 65536;

/// Longest path that fits in sockaddr_un together with its terminating zero.
inline constexpr uint32_t kMaxSocketPath = 107;
/// After this time, or twice this time, a write to an eventfd counts as blocked. It blocks if the peer left
/// the eventfd's counter at its maximum. All devices of the thread wait meanwhile; the device of that peer is
/// then closed.
inline constexpr uint32_t kCallDeadlineMs = 10;
/// Threads that close fds of peers (core/base/closer.h). A peer can block each thread for an unlimited time.
/// If all threads are blocked, further fds that are neither memory nor notifiers stay open until a thread is
/// free.
inline constexpr uint32_t kClosers = 16;
/// Threads that free the memory of guests. With two threads, other guests' memory can be freed while one
/// thread frees the memory of a very large guest.
inline constexpr uint32_t kFreeingThreads = 2;
/// Fds of memory files that may wait for those threads. These fds count against the fd limit of the process,
/// which is 1,024 by default. A thread that closes one more fd frees its memory itself, at 50 ms per GiB.
inline constexpr int kMostToFree = 256;
/// Threads that map and unmap guests' memory (core/memory/memory_threads.h), and how many of them the devices
/// of one driver may use. The devices of a driver get two threads, so that a connection that blocks one
/// thread does not stop the next connection. Only front ends of 32 drivers together could block all threads.
inline constexpr uint32_t kMemoryThreads = 64;
inline constexpr uint32_t kMemoryThreadsEach = 2;
/// How long a thread of BlockingThreads waits for work before it ends.
inline constexpr std::chrono::seconds kBlockingThreadIdle{1};

}  // namespace rxvhost
