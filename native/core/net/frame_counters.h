// Counts frames by length and by kind of destination, in the bins of librte_vhost's statistics. The names are
// those of RFC 2819 (etherStatsPkts64Octets and so on). A frame costs one table look-up and one test.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "core/base/limits.h"
#include "core/virtqueue/counters.h"

namespace rxvhost {

/// The longest frame of each bin except the last, which has no limit.
inline constexpr std::array<uint32_t, 7> kLongestOfBin = {63, 64, 127, 255, 511, 1023, 1518};
inline constexpr uint32_t kSizeBins = kLongestOfBin.size() + 1;
static_assert(stat_undersize + kSizeBins == stat_calls);

/// The bin of each length, up to the first length of the last bin.
inline constexpr auto kBinOfLength = [] {
  std::array<uint8_t, kLongestOfBin.back() + 2> bins{};
  for (uint32_t length = 0; length < bins.size(); length++)
    while (bins[length] < kLongestOfBin.size() && length > kLongestOfBin[bins[length]]) bins[length]++;
  return bins;
}();

/// Counts a frame of at least kMinPacket bytes.
inline void count_frame(uint64_t* stats, const uint8_t* frame, uint32_t length) {
  constexpr uint32_t kLast = kBinOfLength.size() - 1;
  stats[stat_undersize + kBinOfLength[std::min(length, kLast)]]++;
  if (__builtin_expect(frame[0] & 1, 0)) {
    static constexpr uint8_t kEveryone[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    stats[std::memcmp(frame, kEveryone, sizeof kEveryone) == 0 ? stat_broadcast : stat_multicast]++;
  }
}

/// The counts before a burst, to be restored if none of its packets is passed on.
class FramesBefore {
 public:
  explicit FramesBefore(uint64_t* stats) : from_(stats + stat_multicast) {
    std::memcpy(before_, from_, sizeof before_);
  }
  void restore() const { std::memcpy(from_, before_, sizeof before_); }

 private:
  uint64_t* from_;
  uint64_t before_[2 + kSizeBins];
};

}  // namespace rxvhost
