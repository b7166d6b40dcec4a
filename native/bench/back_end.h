// What micro.cc measures: one burst of a back end, out of a guest or into it. Two implementations, ours.cc
// and theirs.cc (librte_vhost), each on one core, with the rings of one guest::Port. Whatever is not a burst
// (frames made ready, frames looked at) happens outside the functions named measured_*, whose instructions
// callgrind counts and nobody else's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "guest/numbered.h"
#include "guest/port.h"

// A function of its own, by this name, in every build: callgrind toggles on the call and on the return.
#define RXVHOST_MEASURED extern "C" __attribute__((noinline, noclone, used, visibility("default")))

namespace rxvhost::bench {

inline constexpr uint32_t kRingSize = 256;
inline constexpr uint32_t kMaxBurstMeasured = 64;

class BackEnd {
 public:
  virtual ~BackEnd() = default;

  /// Takes up the rings of a started port; what went wrong, or nothing.
  virtual std::string attach(guest::Port& port, uint64_t features) = 0;

  /// One burst out of the guest: packets that are held until release().
  virtual uint32_t dequeue(uint32_t max) = 0;
  virtual guest::Span packet(uint32_t n) = 0;
  virtual void release() = 0;
  /// Both in one measured function.
  virtual uint32_t dequeue_and_release(uint32_t max) = 0;

  /// Room for packet `n` of the next enqueue.
  virtual guest::Span prepare(uint32_t n, uint32_t length) = 0;
  /// One burst into the guest, of the packets 0 … count-1.
  virtual uint32_t enqueue(uint32_t count) = 0;

  /// Packets that its own statistics say went through a ring: both sides are to keep some.
  virtual uint64_t counted(guest::RingIndex ring) = 0;
};

std::unique_ptr<BackEnd> make_ours();
/// `folder` is a private one, for its socket.
std::unique_ptr<BackEnd> make_theirs(const std::string& folder);

}  // namespace rxvhost::bench
