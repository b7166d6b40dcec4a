// A back end as micro.cc measures it: each call moves one burst out of a guest or into a guest. The
// implementations are ours.cc and theirs.cc (librte_vhost). Each runs on one core, with the rings of one
// guest::Port. callgrind counts only the instructions of the functions named measured_*. All other work, such
// as preparing and checking frames, happens outside these functions.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "guest/numbered.h"
#include "guest/port.h"

// Prevents inlining and renaming of a function, because callgrind starts and stops counting at its call and
// return.
#define RXVHOST_MEASURED extern "C" __attribute__((noinline, noclone, used, visibility("default")))

namespace rxvhost::bench {

inline constexpr uint32_t kRingSize = 256;
inline constexpr uint32_t kMaxBurstMeasured = 64;

class BackEnd {
 public:
  virtual ~BackEnd() = default;

  /// Starts to use the rings of a started port. Returns an error message, or an empty string on success.
  virtual std::string attach(guest::Port& port, uint64_t features) = 0;

  /// Dequeues one burst from the guest. The packets stay valid until release().
  virtual uint32_t dequeue(uint32_t max) = 0;
  virtual guest::Span packet(uint32_t n) = 0;
  virtual void release() = 0;
  /// Dequeues a burst and releases its packets in one measured function.
  virtual uint32_t dequeue_and_release(uint32_t max) = 0;

  /// Returns the memory for packet `n` of the next enqueue().
  virtual guest::Span prepare(uint32_t n, uint32_t length) = 0;
  /// Enqueues one burst to the guest: packets 0 to count-1.
  virtual uint32_t enqueue(uint32_t count) = 0;

  /// Returns the number of packets of a ring from the back end's own statistics. Both back ends must count
  /// packets, so that the comparison is fair.
  virtual uint64_t counted(guest::RingIndex ring) = 0;
};

std::unique_ptr<BackEnd> make_ours();
/// `folder` is a private folder for the socket.
std::unique_ptr<BackEnd> make_theirs(const std::string& folder);

}  // namespace rxvhost::bench
